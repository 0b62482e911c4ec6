function startsWith(head: Uint8Array, bytes: readonly number[]): boolean {
  return head.length >= bytes.length && bytes.every((byte, i) => head[i] === byte);
}

const SIGNATURES: readonly (readonly [bytes: readonly number[], words: string, remedy?: string])[] = [
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive', 'Unpack it and give the capture inside.'],
  [[0x42, 0x5a, 0x68], 'a bzip2 archive', 'Unpack it with bunzip2 first; gzip and zstd are read as they are.'],
  [
    [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
    'an xz archive',
    'Unpack it with unxz first; gzip and zstd are read as they are.',
  ],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7-Zip archive', 'Unpack it and give the capture inside.'],
  [[0x52, 0x61, 0x72, 0x21], 'a RAR archive', 'Unpack it and give the capture inside.'],
  [[0x04, 0x22, 0x4d, 0x18], 'lz4 compressed data', 'Unpack it with lz4 first; gzip and zstd are read as they are.'],
  [[0x1f, 0x8b], 'gzip data inside gzip data', 'Unpack it once with gunzip.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd data inside compressed data', 'Unpack it once with zstd -d.'],
  [[0x73, 0x6e, 0x6f, 0x6f, 0x70, 0], 'a snoop capture', 'Convert it with `editcap -F pcapng`.'],
  [[0x47, 0x4d, 0x42, 0x55], 'a capture of Microsoft Network Monitor', 'Convert it with `editcap -F pcapng`.'],
  [[0x53, 0x51, 0x4c, 0x69, 0x74, 0x65], 'an SQLite database'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program (ELF)'],
  [[0x4d, 0x5a], 'a Windows program'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG image'],
  [[0xff, 0xd8, 0xff], 'a JPEG image'],
];

function isText(bytes: Uint8Array): boolean {
  try {
    // The last character may be cut: a stream's decoder waits for the rest of it.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return !/[\u0000-\u0008\u000e-\u001f]/.test(text.slice(0, 256));
  } catch {
    return false;
  }
}

/**
 * What a file that is no capture looks like by its first bytes, in words and never in its own bytes (it may
 * be anything, a patient's record too).
 */
export function looksLike(head: Uint8Array): { words: string; remedy: string } {
  const remedy = 'Give a file in the pcap or pcapng format, as it is or compressed with gzip or zstd.';
  for (const [bytes, words, special] of SIGNATURES) {
    if (startsWith(head, bytes)) return { words, remedy: special ?? remedy };
  }
  if (head.length >= 132 && startsWith(head.subarray(128), [0x44, 0x49, 0x43, 0x4d]))
    return { words: 'a DICOM file', remedy };
  if (head.length < 4) return { words: `${head.length} bytes, too few to tell`, remedy };
  if (head.every((byte) => byte === 0)) return { words: 'nothing but zero bytes', remedy };
  if (!isText(head)) return { words: 'binary data of an unknown kind', remedy };
  const first = head.find((byte) => byte > 0x20);
  if (first === 0x7b || first === 0x5b) return { words: 'JSON text', remedy };
  if (first === 0x3c) return { words: 'XML or HTML text', remedy };
  return { words: 'text', remedy };
}
