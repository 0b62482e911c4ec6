import { createRequire } from 'node:module';

/** Maker of a network interface by the first 24 bits of its MAC address (IEEE MA-L), empty where unknown. */
export interface OuiTable {
  vendor(oui: number): string;
}

/** The table of the npm package `oui-data`, read on first use: parsing its 5 MB costs more than most commands take. */
export function createOuiTable(): OuiTable {
  let data: Record<string, string> | undefined;
  return {
    vendor(oui) {
      if (data === undefined) data = createRequire(import.meta.url)('oui-data') as Record<string, string>;
      const entry = data[oui.toString(16).toUpperCase().padStart(6, '0')];
      return entry === undefined ? '' : (entry.split('\n')[0] ?? '').trim();
    },
  };
}
