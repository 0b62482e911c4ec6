import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';

/** A connection that messages are written to; opened when there is something to write, and again after it broke. */
export interface MessageStream {
  /**
   * Writes and waits until the connection has stayed open for `confirmMs` after it: then the receiver has had its
   * chance to refuse. Rejects where the connection could not be opened, broke or took too long.
   */
  write(bytes: Buffer, address: string, confirmMs: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** @param tls settings where the connection is protected; undefined for plain TCP */
export function createMessageStream(port: number, tls: ConnectionOptions | undefined): MessageStream {
  let socket: Socket | undefined;
  let connectedTo = '';

  const open = (address: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const opened: Socket =
        tls === undefined
          ? connectTcp({ host: address, port, keepAlive: true, keepAliveInitialDelay: 10_000 })
          : connectTls({ ...tls, host: address, port });
      socket = opened;
      connectedTo = address;
      opened.once(tls === undefined ? 'connect' : 'secureConnect', () => resolve(opened));
      opened.on('error', reject);
      // A receiver that ends its side wants no more: what is written after that would be lost without a word.
      opened.on('end', () => opened.destroy());
      opened.on('close', () => {
        if (socket === opened) socket = undefined;
        reject(new Error('closed'));
      });
      // Syslog is one-way; whatever comes is thrown away, or the end of the stream would not be seen.
      opened.resume();
    });

  return {
    async write(bytes, address, confirmMs, signal) {
      signal.throwIfAborted();
      if (address !== connectedTo) socket?.destroy();
      const given = Promise.withResolvers<undefined>();
      const onAbort = (): void => {
        socket?.destroy();
        given.reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      let timer: NodeJS.Timeout | undefined;
      try {
        const through = async (): Promise<void> => {
          const current = socket?.writable === true && address === connectedTo ? socket : await open(address);
          const onEnd = (error?: Error): void => given.reject(error ?? new Error('closed'));
          current.once('close', () => onEnd());
          current.write(bytes, (error) => {
            if (error) onEnd(error);
            else timer = setTimeout(() => given.resolve(undefined), confirmMs);
          });
        };
        await Promise.race([through().then(() => given.promise), given.promise]);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      }
    },
    close: () => socket?.destroy(),
  };
}
