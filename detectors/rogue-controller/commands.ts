import type { MessageView, Technique } from '../../src/detect/sdk.ts';
import { keyOf, keyOfText } from '../../src/detect/sdk.ts';

/**
 * What a request does to the device that gets it. `read`: it only asks. `write`: it changes a value, a
 * setting or a list. `stop`: the device restarts, stops, falls silent or takes another program.
 */
export type Effect = 'read' | 'write' | 'stop';

/** A request from a client or controller to a device, whatever the protocol. */
export interface Command {
  readonly protocol: string;
  /** How people call the protocol. */
  readonly protocolName: string;
  readonly effect: Effect;
  /** `write-single-register`, `reinitializeDevice`, `poll`. */
  readonly name: string;
  /** Stable key of (protocol, command). */
  readonly key: number;
  /** The protocol carries vital signs, results or therapy: reading it takes patient data. */
  readonly clinical: boolean;
  /** The command is about alarms. */
  readonly alarm: boolean;
}

export const UNAUTHORIZED_COMMAND: Technique = { id: 'T0855', name: 'Unauthorized Command Message', matrix: 'ics' };
export const ROGUE_MASTER: Technique = { id: 'T0848', name: 'Rogue Master', matrix: 'ics' };
export const MODIFY_ALARMS: Technique = { id: 'T0838', name: 'Modify Alarm Settings', matrix: 'ics' };
export const DEVICE_RESTART: Technique = { id: 'T0816', name: 'Device Restart/Shutdown', matrix: 'ics' };
export const AUTOMATED_COLLECTION: Technique = { id: 'T0802', name: 'Automated Collection', matrix: 'ics' };
export const MONITOR_STATE: Technique = { id: 'T0801', name: 'Monitor Process State', matrix: 'ics' };

/** The kinds that {@link commandOf} and {@link outcomeOf} understand. */
export const KINDS = [
  'modbus.request',
  'modbus.response',
  'bacnet.message',
  'bacnet.control',
  'intellivue.association',
  'intellivue.operation',
  'poct1a.message',
  'astm.message',
  'snmp.message',
  's7comm.message',
  'enip.cip',
  'dnp3.message',
  'iec104.asdu',
  'opcua.service',
  'sdc.message',
] as const;

/** Diagnostics: restart communications, force listen only mode. */
const MODBUS_STOPS = new Set([1, 4]);
const S7_STOPS = new Set(['stop', 'start', 'request-download']);
const CIP_STOPS = new Set(['reset', 'stop']);
const DNP3_STOPS = new Set([
  'cold-restart',
  'warm-restart',
  'initialize-data',
  'initialize-application',
  'stop-application',
]);
/** IEC 60870-5-104: reset process command. */
const IEC_RESET = 105;
const BACNET_STOPS = new Set(['reinitializeDevice', 'deviceCommunicationControl']);
/** Requests of IEEE 11073-20701 that fetch what a device measures. */
const SDC_READS = new Set(['GetMdib', 'GetMdState', 'GetMdDescription', 'GetContextStates']);
/** IntelliVue object classes that are alarms (NOM_MOC_VMO_AL_MON). */
const IV_ALARMS = 54;

function command(
  protocol: string,
  protocolName: string,
  effect: Effect,
  name: string,
  clinical = false,
  alarm = false,
): Command {
  return {
    protocol,
    protocolName,
    effect,
    name,
    key: keyOf(keyOfText(protocol), keyOfText(name)),
    clinical,
    alarm,
  };
}

/** The command in a message, undefined where it is an answer, a report, or no command at all. */
export function commandOf(message: MessageView): Command | undefined {
  const writes = message.number('is_write') === 1;
  switch (message.kind) {
    case 'modbus.request': {
      const name = message.text('function') ?? `function ${message.number('function_code') ?? '?'}`;
      const stops = message.number('function_code') === 8 && MODBUS_STOPS.has(message.number('sub_function') ?? -1);
      if (stops) return command('modbus', 'Modbus', 'stop', 'restart or silence communication');
      return command('modbus', 'Modbus', writes ? 'write' : 'read', name);
    }
    case 'bacnet.message': {
      const pdu = message.text('pdu');
      // Broadcasts look for devices; only what is sent to one device is a command to it.
      if ((pdu !== 'confirmed-request' && pdu !== 'unconfirmed-request') || message.number('bvlc_function') === 11)
        return undefined;
      const name = message.text('service') ?? `service ${message.number('service_choice') ?? '?'}`;
      if (BACNET_STOPS.has(name)) return command('bacnet', 'BACnet', 'stop', name);
      if (writes) return command('bacnet', 'BACnet', 'write', name, false, name === 'acknowledgeAlarm');
      return name.startsWith('read') ? command('bacnet', 'BACnet', 'read', name) : undefined;
    }
    case 'bacnet.control':
      return writes && message.number('bvlc_function') === 1
        ? command('bacnet', 'BACnet', 'write', 'change of the broadcast table')
        : undefined;
    case 'intellivue.association':
      return message.text('step') === 'request'
        ? command('intellivue', 'IntelliVue data export', 'read', 'association', true)
        : undefined;
    case 'intellivue.operation': {
      if (message.text('phase') !== 'request') return undefined;
      const name = message.text('operation') ?? '';
      const alarm = message.number('object_class') === IV_ALARMS;
      if (writes) return command('intellivue', 'IntelliVue data export', 'write', name, true, alarm);
      const reads = name === 'poll' || name === 'poll-extended' || name === 'get';
      return reads ? command('intellivue', 'IntelliVue data export', 'read', name, true) : undefined;
    }
    case 'poct1a.message':
      if (writes)
        return command(
          'poct1a',
          'POCT1-A',
          'write',
          message.text('command') ?? message.text('message_type') ?? '',
          true,
        );
      return message.text('message_type') === 'REQ' ? command('poct1a', 'POCT1-A', 'read', 'request', true) : undefined;
    case 'astm.message':
      return (message.number('queries') ?? 0) > 0 ? command('astm', 'ASTM', 'read', 'query', true) : undefined;
    case 'snmp.message':
      return writes ? command('snmp', 'SNMP', 'write', 'set') : undefined;
    case 's7comm.message': {
      const pdu = message.text('pdu');
      const name = message.text('function');
      if (name === undefined || (pdu !== 'job' && !(pdu === 'userdata' && writes))) return undefined;
      if (pdu === 'job' && S7_STOPS.has(name)) return command('s7comm', 'S7', 'stop', name);
      if (writes) return command('s7comm', 'S7', 'write', name);
      return name === 'setup' ? undefined : command('s7comm', 'S7', 'read', name);
    }
    case 'enip.cip': {
      if (message.number('is_response') === 1) return undefined;
      const name = message.text('service') ?? `service ${message.number('service_code') ?? '?'}`;
      if (CIP_STOPS.has(name)) return command('enip', 'CIP', 'stop', name);
      return command('enip', 'CIP', writes ? 'write' : 'read', name);
    }
    case 'dnp3.message': {
      const name = message.text('function') ?? '';
      if (message.number('from_master') !== 1) return undefined;
      if (DNP3_STOPS.has(name)) return command('dnp3', 'DNP3', 'stop', name);
      if (writes) return command('dnp3', 'DNP3', 'write', name);
      return name === 'read' ? command('dnp3', 'DNP3', 'read', name) : undefined;
    }
    case 'iec104.asdu': {
      const type = message.number('type_id') ?? 0;
      if (type === IEC_RESET && message.number('cause') === 6)
        return command('iec104', 'IEC 104', 'stop', 'reset process');
      return writes ? command('iec104', 'IEC 104', 'write', `type ${type}`) : undefined;
    }
    case 'opcua.service': {
      if (message.number('is_response') === 1) return undefined;
      const name = message.text('service') ?? `service ${message.number('service_id') ?? '?'}`;
      if (writes) return command('opcua', 'OPC UA', 'write', name);
      return name === 'Read' || name === 'Browse' || name === 'HistoryRead'
        ? command('opcua', 'OPC UA', 'read', name)
        : undefined;
    }
    case 'sdc.message': {
      const name = message.text('message') ?? '';
      if (message.number('sets') === 1) return command('sdc', 'SDC', 'write', name, true, name === 'SetAlertState');
      return SDC_READS.has(name) ? command('sdc', 'SDC', 'read', name, true) : undefined;
    }
    default:
      return undefined;
  }
}

/** Whether a message is the device's answer to a command, and what it says of it. */
export function outcomeOf(message: MessageView): 'done' | 'refused' | undefined {
  switch (message.kind) {
    case 'modbus.response':
      return message.number('exception') === undefined ? 'done' : 'refused';
    case 'bacnet.message': {
      const pdu = message.text('pdu');
      if (pdu === 'simple-ack' || pdu === 'complex-ack') return 'done';
      return pdu === 'error' || pdu === 'reject' || pdu === 'abort' ? 'refused' : undefined;
    }
    case 'intellivue.association': {
      const step = message.text('step');
      return step === 'accept' ? 'done' : step === 'refuse' ? 'refused' : undefined;
    }
    case 'intellivue.operation': {
      const phase = message.text('phase');
      return phase === 'result' ? 'done' : phase === 'error' ? 'refused' : undefined;
    }
    case 'snmp.message':
      if (message.text('pdu') !== 'response') return undefined;
      return (message.number('error_status') ?? 0) === 0 ? 'done' : 'refused';
    case 's7comm.message':
      if (message.text('pdu') !== 'ack-data' && message.text('pdu') !== 'ack') return undefined;
      return (message.number('error_class') ?? 0) === 0 ? 'done' : 'refused';
    case 'enip.cip':
      if (message.number('is_response') !== 1) return undefined;
      return (message.number('status') ?? 0) === 0 ? 'done' : 'refused';
    case 'dnp3.message':
      return message.text('function') === 'response' ? 'done' : undefined;
    case 'iec104.asdu':
      if (message.number('cause') !== 7) return undefined;
      return message.number('negative') === 1 ? 'refused' : 'done';
    case 'opcua.service':
      return message.number('is_response') === 1 ? 'done' : undefined;
    default:
      return undefined;
  }
}

/** Protocol of a kind, as {@link Command.protocol}. */
export function protocolOf(kind: string): string {
  return kind.slice(0, kind.indexOf('.'));
}
