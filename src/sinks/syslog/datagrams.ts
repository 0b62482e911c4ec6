import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/**
 * Sends each message as one datagram, from a connected socket: so a receiver's machine that has nobody at the port
 * is heard, where it says so within `confirmMs`. UDP promises no more.
 */
export async function sendDatagrams(
  messages: readonly Buffer[],
  address: string,
  port: number,
  confirmMs: number,
  signal: AbortSignal,
): Promise<void> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', signal });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed')));
      socket.connect(port, address, () => {
        let left = messages.length;
        for (const message of messages)
          socket.send(message, (error) => {
            if (error) reject(error);
            else if (--left === 0) setTimeout(resolve, confirmMs);
          });
      });
    });
  } finally {
    if (!signal.aborted) socket.close();
  }
}
