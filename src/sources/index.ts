export { createFileSource, type FileSource, type FileSourceOptions } from './pcap/file.ts';
export { type CaptureParser, createCaptureParser } from './pcap/parser.ts';
