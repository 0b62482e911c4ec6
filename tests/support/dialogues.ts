/** What both sides say in the protocols of the cases, as turns of a TCP conversation. */
import { createPrng } from '../../src/lib/prng.ts';
import {
  SOP,
  associate,
  findRequest,
  identifier,
  moveRequest,
  releaseRequest,
  releaseResponse,
  response,
} from '../../src/simulate/clinical-messages.ts';
import {
  modbusRead,
  modbusValues,
  modbusWrite,
  randomBytes,
  smbClose,
  smbClosed,
  smbCreate,
  smbCreated,
  smbNegotiate,
  smbNegotiated,
  smbRead,
  smbReadDone,
  smbRename,
  smbRenamed,
  smbSetUp,
  smbTree,
  smbTreeDone,
  smbWrite,
  smbWritten,
} from '../../src/simulate/network-messages.ts';
import type { SmbSession } from '../../src/simulate/network-messages.ts';
import type { Turn } from './traffic.ts';

const ask = (data: Uint8Array | string, afterMs?: number): Turn => ({
  fromClient: true,
  data,
  ...(afterMs === undefined ? {} : { afterMs }),
});
const answer = (data: Uint8Array | string): Turn => ({ fromClient: false, data });

/** `> ` begins what the client says, `< ` what the server says. */
export function spoken(lines: readonly string[]): Turn[] {
  return lines.map((line) => (line.startsWith('>') ? ask(line.slice(2)) : answer(line.slice(2))));
}

/** One message of HL7 v2 and its acknowledgement. */
export function hl7(sender: string, message: string, control: string, value: number, code: string): Turn[] {
  const msh = `\x0bMSH|^~\\&|${sender}|WARD|ENGINE|HOSP|20260105080000||${message}|${control}|P|2.6\r`;
  const body = message.startsWith('ORU') ? `PID|1||X\rOBR|1\rOBX|1|NM|HR||${value}|bpm\r` : 'PID|1||X\r';
  return [
    ask(`${msh}${body}\x1c\r`),
    answer(
      `\x0bMSH|^~\\&|ENGINE|HOSP|${sender}|WARD|20260105080000||ACK|A${control}|P|2.6\rMSA|${code}|${control}\r\x1c\r`,
    ),
  ];
}

/** An association in which records are asked for, or images are ordered for `destination`. */
export function dicom(
  calling: string,
  called: string,
  deed: 'find' | 'move' | 'refused',
  count: number,
  destination: string,
): Turn[] {
  const syntax = deed === 'move' ? SOP.move : SOP.find;
  const opening = ask(associate(called, calling, [syntax], false));
  // A-ASSOCIATE-RJ: permanent, by the user, calling title not recognised (PS3.8 9.3.4).
  if (deed === 'refused') return [opening, answer(Uint8Array.of(3, 0, 0, 0, 0, 4, 0, 1, 1, 3))];
  const turns = [opening, answer(associate(called, calling, [syntax], true))];
  for (let id = 1; id <= count; id++) {
    turns.push(ask(deed === 'find' ? findRequest(1, syntax, id) : moveRequest(1, id, destination), 20));
    turns.push(ask(identifier(1, '', '', true)));
    if (deed === 'find')
      for (let n = 0; n < 8; n++)
        turns.push(answer(response(1, syntax, 0x8020, id, 0xff00, true)), answer(identifier(1, `P${n}`, '1.2', true)));
    turns.push(answer(response(1, syntax, deed === 'find' ? 0x8020 : 0x8021, id, 0)));
  }
  return [...turns, ask(releaseRequest()), answer(releaseResponse())];
}

/** A session at a share: each file is read, written anew, or read, written over with noise and renamed. */
export function smb(deed: 'read' | 'save' | 'encrypt', files: number, first: number): Turn[] {
  const random = createPrng(first + 7);
  const s: SmbSession = { message: -1, session: 0, tree: 0 };
  const turns = [ask(smbNegotiate(s, random)), answer(smbNegotiated(s, random))];
  s.session = 77;
  turns.push(answer(smbSetUp(s)), ask(smbTree(s, '\\\\files\\ward')));
  s.tree = 5;
  turns.push(answer(smbTreeDone(s)));
  const size = 4000;
  for (let i = 0; i < files; i++) {
    const file = first + i + 1;
    const name = `report-${file}.doc`;
    turns.push(ask(smbCreate(s, name, deed !== 'read'), 30), answer(smbCreated(s, file, size)));
    if (deed !== 'save')
      turns.push(ask(smbRead(s, file, 0, size)), answer(smbReadDone(s, new Uint8Array(size).fill(0x20))));
    if (deed !== 'read') turns.push(ask(smbWrite(s, file, 0, randomBytes(random, size))), answer(smbWritten(s, size)));
    if (deed === 'encrypt') turns.push(ask(smbRename(s, file, `${name}.locked`)), answer(smbRenamed(s)));
    turns.push(ask(smbClose(s, file)), answer(smbClosed(s)));
  }
  return turns;
}

/** Modbus TCP: registers are read, or one is written. */
export function modbus(deed: 'read' | 'write', count: number): Turn[] {
  const turns: Turn[] = [];
  for (let n = 1; n <= count; n++) {
    turns.push(ask(deed === 'read' ? modbusRead(n, 0, 2) : modbusWrite(n, 3, 40 + n), 50));
    turns.push(answer(deed === 'read' ? modbusValues(n, [20, 21]) : modbusWrite(n, 3, 40 + n)));
  }
  return turns;
}
