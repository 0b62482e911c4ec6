/** Interfaces of Windows by UUID, from the MS-* open specifications; those that say what is being done. */
const NAMES = new Map<string, string>([
  ['367abb81-9844-35f1-ad32-98f038001003', 'svcctl'],
  ['12345778-1234-abcd-ef00-0123456789ab', 'lsarpc'],
  ['12345778-1234-abcd-ef00-0123456789ac', 'samr'],
  ['4b324fc8-1670-01d3-1278-5a47bf6ee188', 'srvsvc'],
  ['338cd001-2244-31f1-aaaa-900038001003', 'winreg'],
  ['1ff70682-0a51-30e8-076d-740be8cee98b', 'atsvc'],
  ['378e52b0-c0a9-11cf-822d-00aa0051e40f', 'sasec'],
  ['86d35949-83c9-4044-b424-db363231fd0c', 'ITaskSchedulerService'],
  ['6bffd098-a112-3610-9833-46c3f87e345a', 'wkssvc'],
  ['12345678-1234-abcd-ef00-01234567cffb', 'netlogon'],
  ['12345678-1234-abcd-ef00-0123456789ab', 'spoolss'],
  ['76f03f96-cdfd-44fc-a22c-64950a001209', 'winspool'],
  ['e1af8308-5d1f-11c9-91a4-08002b14a0fa', 'epmapper'],
  ['afa8bd80-7d8a-11c9-bef4-08002b102989', 'mgmt'],
  ['e3514235-4b06-11d1-ab04-00c04fc2dcd2', 'drsuapi'],
  ['3919286a-b10c-11d0-9ba8-00c04fd92ef5', 'dssetup'],
  ['3dde7c30-165d-11d1-ab8f-00805f14db40', 'BackupKey'],
  ['c681d488-d850-11d0-8c52-00c04fd90f7e', 'efsrpc'],
  ['df1941c5-fe89-4e79-bf10-463657acf44d', 'efsrpc'],
  ['82273fdc-e32a-18c3-3f78-827929dc23ea', 'eventlog'],
  ['f6beaff7-1e19-4fbb-9f8f-b89e2018337c', 'eventlog6'],
  ['894de0c0-0d55-11d3-a322-00c04fa321a1', 'InitShutdown'],
  ['d95afe70-a6d5-4259-822e-2c84da1ddb0d', 'WindowsShutdown'],
  ['17fdd703-1827-4e34-79d4-24a55c53bb37', 'msgsvc'],
  ['50abc2a4-574d-40b3-9d66-ee4fd5fba076', 'dnsserver'],
  ['5ca4a760-ebb1-11cf-8611-00a0245420ed', 'winstation'],
  ['8d9f4e40-a03d-11ce-8f69-08003e30051b', 'pnp'],
  ['4fc742e0-4a10-11cf-8273-00aa004ae673', 'netdfs'],
  ['a8e0653c-2744-4389-a61d-7373df8b2292', 'FileServerVssAgent'],
  ['99fcfec4-5260-101b-bbcb-00aa0021347a', 'IOXIDResolver'],
  ['000001a0-0000-0000-c000-000000000046', 'ISystemActivator'],
  ['4d9f4ab8-7d1c-11cf-861e-0020af6e7c57', 'IActivation'],
  ['00000131-0000-0000-c000-000000000046', 'IRemUnknown'],
  ['00000143-0000-0000-c000-000000000046', 'IRemUnknown2'],
  ['00020400-0000-0000-c000-000000000046', 'IDispatch'],
  ['f309ad18-d86a-11d0-a075-00c04fb68820', 'IWbemLevel1Login'],
  ['9556dc99-828c-11cf-a37e-00aa003240c7', 'IWbemServices'],
  ['d4781cd6-e5d3-44df-ad94-930efe48a887', 'IWbemLoginClientID'],
]);

function hex(bytes: Uint8Array, from: number, to: number, reversed: boolean): string {
  let out = '';
  for (let i = from; i < to; i++) {
    const byte = bytes[reversed ? from + to - 1 - i : i]!;
    out += (byte < 16 ? '0' : '') + byte.toString(16);
  }
  return out;
}

/** The interface whose UUID (16 bytes, first three fields in the sender's byte order) is at `at`. */
export function interfaceName(bytes: Uint8Array, at: number, littleEndian: boolean): string {
  const uuid = [
    hex(bytes, at, at + 4, littleEndian),
    hex(bytes, at + 4, at + 6, littleEndian),
    hex(bytes, at + 6, at + 8, littleEndian),
    hex(bytes, at + 8, at + 10, false),
    hex(bytes, at + 10, at + 16, false),
  ].join('-');
  return NAMES.get(uuid) ?? uuid;
}
