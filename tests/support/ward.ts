/** A small clinical segment and its usual traffic. */
import { Traffic } from './traffic.ts';
import type { Host } from './traffic.ts';

const host = (name: string, mac: string, last: number, ttl = 64): Host => ({ name, mac, ip: `10.9.0.${last}`, ttl });

const gateway = host('gateway', '00:1b:54:00:00:01', 1, 255);
const directory = host('directory', '00:50:56:00:00:10', 10, 128);
const engine = host('engine', '00:50:56:00:00:20', 20);
const station = host('station', '88:3a:30:00:00:21', 21, 128);
const pacs = host('pacs', 'dc:f4:01:00:00:22', 22);
const files = host('files', '4c:d9:8f:00:00:23', 23, 128);
const recorder = host('recorder', '18:66:da:00:00:24', 24);
const monitors = [1, 2, 3, 4].map((n) => host(`monitor${n}`, `00:09:fb:00:00:3${n}`, 30 + n));
const pumps = [1, 2, 3].map((n) => host(`pump${n}`, `00:12:21:00:00:4${n}`, 40 + n));
const ct = host('ct', '38:4b:24:00:00:51', 51, 128);
const camera = host('camera', 'b8:a4:4f:00:00:61', 61);
const workstations = [1, 2].map((n) => host(`workstation${n}`, `c8:f7:50:00:00:7${n}`, 70 + n, 128));
const technician = host('technician', '98:e7:43:00:00:73', 73, 128);
/** Outside: frames carry the gateway's hardware address. */
const outside: Host = { name: 'outside', mac: gateway.mac, ip: '198.51.100.10', ttl: 50 };

export const WARD: ReadonlyMap<string, Host> = new Map(
  [
    gateway,
    directory,
    engine,
    station,
    pacs,
    files,
    recorder,
    ...monitors,
    ...pumps,
    ct,
    camera,
    ...workstations,
    technician,
    outside,
  ].map((h) => [h.name, h]),
);

/** Usual traffic of the ward from `from` to `to`, seconds. */
export function ward(t: Traffic, from: number, to: number): void {
  for (const m of monitors) {
    t.every(1.5, from, to, (at) => t.ask(at, m, station, 9000, 260, 40));
    t.every(60, from, to, (at) => t.arp(at, m, true, m.ip, station.ip));
  }
  monitors.slice(0, 2).forEach((m, i) => {
    let n = 1;
    t.every(12, from, to, (at) =>
      t.hl7(at, m, engine, `MON${i + 1}`, `M${i + 1}-${from}-${n++}`, 70 + Math.floor(t.random() * 8)),
    );
  });
  for (const p of pumps)
    t.every(5, from, to, (at) =>
      t.tcp(at, p, engine, 4000, {
        turns: [
          { fromClient: true, data: 180 },
          { fromClient: false, data: 60 },
        ],
      }),
    );
  t.every(45, from, to, (at) =>
    t.tcp(at, ct, pacs, 11112, {
      turns: [
        { fromClient: true, data: 40_000 },
        { fromClient: false, data: 120 },
      ],
    }),
  );
  t.every(1, from, to, (at) => t.udp(at, camera, recorder, 5004, 5004, 900));
  for (const w of workstations) {
    t.every(
      20,
      from,
      to,
      (at) => {
        t.dns(at, w, directory, 'records.ward.test', files.ip);
        t.tcp(at + 0.01, w, files, 443, {
          turns: [
            { fromClient: true, data: 700 },
            { fromClient: false, data: 4000 },
          ],
        });
      },
      0.4,
    );
    t.every(
      30,
      from,
      to,
      (at) =>
        t.tcp(at, w, outside, 443, {
          turns: [
            { fromClient: true, data: 900 },
            { fromClient: false, data: 6000 },
          ],
        }),
      0.4,
    );
  }
  t.every(30, from, to, (at) =>
    t.tcp(at, technician, station, 443, {
      turns: [
        { fromClient: true, data: 500 },
        { fromClient: false, data: 2000 },
      ],
    }),
  );
  for (const h of [gateway, directory, engine, pacs, files, recorder, station, ct, ...pumps])
    t.every(25, from, to, (at) => t.arp(at, h, true, h.ip, directory.ip));
}
