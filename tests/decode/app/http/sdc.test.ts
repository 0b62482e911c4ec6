import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/http/index.ts';
import {
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  orig,
  resp,
} from '../../../support/conversation.ts';

const ACTIONS = 'http://standards.ieee.org/downloads/11073/11073-20701-2018/';

const envelope = (action: string, body: string): string =>
  `<?xml version="1.0"?><!-- x --><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://www.w3.org/2005/08/addressing"><s:Header><w:To>http://10.0.0.7/p</w:To><w:Action s:mustUnderstand="true">${action}</w:Action></s:Header><s:Body>${body}</s:Body></s:Envelope>`;

const post = (content: string, ...fields: string[]): string =>
  [
    'POST /5e2e36a1/Set HTTP/1.1',
    'Host: 10.0.0.7',
    'Content-Type: application/soap+xml; charset=utf-8',
    ...fields,
    `Content-Length: ${content.length}`,
    '',
    content,
  ].join('\r\n');

const setValue = envelope(
  `${ACTIONS}SetService/SetValue`,
  '<m:SetValue><m:OperationHandleRef>set_rate</m:OperationHandleRef><m:RequestedNumericValue>7.5</m:RequestedNumericValue></m:SetValue>',
);
const context = envelope(
  `${ACTIONS}ContextService/SetContextState`,
  '<m:SetContextState><m:OperationHandleRef>set_patient</m:OperationHandleRef><p:Givenname>CANARYNAME</p:Givenname></m:SetContextState>',
);
const sdc = (bytes: string): unknown[] =>
  dissect(dissector, [orig(bytes)])
    .seen.filter((o) => o.kind === 'sdc.message')
    .map((o) => o.fields);

describe('SDC', () => {
  it('reads what is asked of a device, and what it reports', () => {
    expect(sdc(post(setValue))).toEqual([{ service: 'SetService', message: 'SetValue', handle: 'set_rate', sets: 1 }]);
    const mdib = envelope(`${ACTIONS}GetService/GetMdib`, '<m:GetMdib/>');
    expect(sdc(post(mdib) + post(setValue))).toHaveLength(2);
    expect(sdc(post(mdib))).toEqual([{ service: 'GetService', message: 'GetMdib' }]);
  });

  it('goes on with the next message after the body, in any segmentation', () => {
    const long = envelope(`${ACTIONS}StateEventService/EpisodicMetricReport`, `<v>${'1 '.repeat(4000)}</v>`);
    const talk = [orig(post(long) + post(setValue)), resp('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')];
    expect(dissect(dissector, talk).seen.map((o) => o.kind)).toEqual([
      'http.request',
      'sdc.message',
      'http.request',
      'sdc.message',
      'http.response',
    ]);
    expectSplitInvariant(dissector, talk);
  });

  it('says nothing of a patient, nor of other SOAP', () => {
    expect(sdc(post(context))).toEqual([
      { service: 'ContextService', message: 'SetContextState', handle: 'set_patient', sets: 1 },
    ]);
    expectNothingOf(dissect(dissector, [orig(post(context))]), ['CANARYNAME']);
    expect(sdc(post(envelope('http://example.org/Other/Set', '')))).toEqual([]);
    expect(sdc(post(envelope(`${ACTIONS}Set Service/Set<Value`, '')))).toEqual([]);
    expect(sdc(post(setValue, 'Content-Encoding: gzip'))).toEqual([]);
    expect(sdc(post('<a:Action/>'))).toEqual([]);
  });

  it('takes any bytes', () => {
    expectHardened(dissector, [orig(post(setValue)), orig(post(context))]);
  });
});
