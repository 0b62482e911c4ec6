export { decodeCapture } from './pcap/decode.ts';
export { createFileSource, type FileSource, type FileSourceOptions } from './pcap/file.ts';
export { type CaptureParser, createCaptureParser } from './pcap/parser.ts';
export { createStreamSource } from './pcap/stream.ts';
export { encodePcapng, type EncodeOptions } from './pcap/writer.ts';
export { mergeSources, type MergedItem, type MergedSources } from './merge.ts';
export { createLiveSource, type LiveConfig, type LiveSource } from './live/index.ts';
