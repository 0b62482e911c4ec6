import { runServer } from '../app/server.ts';
import { loadConfig } from '../config/index.ts';
import type { GlobalOptions } from './frame.ts';
import { version } from './index.ts';
import { untilSignal } from './until-signal.ts';

export async function serverCommand(options: GlobalOptions): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  const signal = untilSignal('requests in flight are answered');
  try {
    await runServer({
      config,
      productVersion: version(),
      stop: signal.stop,
      onReady: (url, note) => process.stdout.write(`Console: ${url}\n${note ?? ''}`),
    });
  } finally {
    signal.end();
  }
}
