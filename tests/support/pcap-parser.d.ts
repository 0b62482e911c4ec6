/** The part of the npm package pcap-parser (which has no types) that serves as an oracle. */
declare module 'pcap-parser' {
  import type { Readable } from 'node:stream';

  export interface PcapPacket {
    readonly header: {
      readonly timestampSeconds: number;
      readonly timestampMicroseconds: number;
      readonly capturedLength: number;
      readonly originalLength: number;
    };
    readonly data: Buffer;
  }

  export interface PcapParser {
    on(event: 'packet', listener: (packet: PcapPacket) => void): this;
    on(event: 'end', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  export function parse(input: string | Readable): PcapParser;
}
