import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/** A TCP door before a server, to take it away and bring it back without touching it. */
export interface Gate {
  port: number;
  /** Closes the door and cuts all connections. */
  shut(): Promise<void>;
  /** Opens it again at the same port. */
  open(): Promise<void>;
}

export async function createGate(target: { host: string; port: number }): Promise<Gate> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
  };
  const open = async (): Promise<void> => {
    server = createServer((near) => {
      const far = connect(target.port, target.host);
      keep(near, far);
      keep(far, near);
      near.pipe(far);
      far.pipe(near);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (typeof address === 'object' && address !== null) port = address.port;
  };
  await open();
  return {
    get port() {
      return port;
    },
    open,
    async shut() {
      const closed = server === undefined ? undefined : once(server, 'close');
      server?.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      server = undefined;
    },
  };
}
