/** Bytes of any kind; copied by the calls that take them. */
export type Bytes = ArrayBuffer | ArrayBufferView;

export declare const PixelMapFormat: Readonly<Record<
  'RGB_565' | 'RGBA_8888' | 'BGRA_8888' | 'RGB_888' | 'ALPHA_8' | 'RGBA_F16' | 'NV21' | 'NV12' | 'RGBA_1010102' |
  'YCBCR_P010' | 'YCRCB_P010' | 'GRAY_8' | 'GRAY_ALPHA_88' | 'BGR_888' | 'RGBX_8888' | 'BGRX_8888' | 'ARGB_8888' |
  'GRAY_16' | 'RGB_161616' | 'RGBA_16161616' | 'RGBA_F32' | 'I420' | 'I422' | 'I444', number>>;
export declare const AlphaType: Readonly<{ UNKNOWN: 0; OPAQUE: 1; PREMUL: 2; UNPREMUL: 3 }>;
export declare const PackingDynamicRange: Readonly<{ AUTO: 0; SDR: 1 }>;

export interface InitializationOptions {
  size: { width: number; height: number };
  /** Of the bytes given. Default: BGRA_8888, as on the platform. */
  srcPixelFormat?: number;
  pixelFormat?: number;
  alphaType?: number;
  /** Bytes from a row to the next; 0, the default: tight. */
  stride?: number;
  /** ITU-T H.273: primaries, transfer, matrix (default 0), full range (default true). */
  cicp?: [number, number, number?, boolean?];
  iccProfile?: Bytes;
}

export interface PackingOption {
  /** MIME type; of several, the last. */
  format: string | string[];
  /** 0 to 100 */
  quality: number;
  /** A hint. */
  bufferSize?: number;
  desiredDynamicRange?: number;
  needsPackProperties?: boolean;
  maxEmbedThumbnailDimension?: number;
  /** 0xRRGGBB */
  backgroundColor?: number;
  /** 1 (fastest) to 10 (smallest); default 5 */
  effort?: number;
  lossless?: boolean;
  /** 420, 422, 444; default by quality */
  chromaSubsampling?: 420 | 422 | 444;
  /** The highest quality, up to the one given, whose bytes are no more. */
  maxBytes?: number;
  keepGps?: boolean;
  /** 'srgb': colours are converted to sRGB. Default: 'keep', with their profile. */
  color?: 'keep' | 'srgb';
  /** Dots per inch, written where the format has a place for them. */
  density?: number;
  /** Files are on the disk before the pack is done. */
  sync?: boolean;
  /** Milliseconds after which the pack fails. */
  timeout?: number;
  /** Settings of one codec: {'webp.sharp_yuv': true} */
  settings?: Record<string, string | number | boolean>;
  signal?: AbortSignal;
  /** 0 to 1, about every 50 ms. */
  onProgress?: (done: number) => void;
}

export interface PackingOptionsForSequence {
  /** Default: image/gif. Also image/apng, image/webp. */
  format?: string;
  frameCount: number;
  /** In units of 10 ms; the last one is for all further frames. */
  delayTimeList?: number[];
  disposalTypes?: number[];
  /** 0 is for ever. */
  loopCount?: number;
  quality?: number;
  effort?: number;
  settings?: Record<string, string | number>;
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
}

export declare class PixelMap {
  constructor(pixels: Bytes, options: InitializationOptions);
}

export declare class ImageSource {
  /** A path, a descriptor, or bytes. */
  constructor(from: string | number | Bytes);
  getImageInfoSync(): { size: { width: number; height: number }; mimeType: string; frameCount: number; loopCount: number };
  /** Decodes it, with metadata and auxiliary images. */
  createPicture(): Picture;
}

export declare class Picture {
  setProperty(name: 'make' | 'model' | 'software' | 'copyright' | 'date' | 'dateChanged', text: string | null): void;
}

export type Input = PixelMap | ImageSource | Picture;
/** An Error whose `code` is the platform's number. */
export type PackError = Error & { code: number; causeCode: number };
export type Callback<T> = (error: PackError | undefined, result?: T) => void;

export declare class ImagePacker {
  readonly supportedFormats: string[];
  packToData(input: Input, options: PackingOption): Promise<ArrayBuffer>;
  packToData(input: Input, options: PackingOption, callback: Callback<ArrayBuffer>): void;
  packing(input: Input, options: PackingOption): Promise<ArrayBuffer>;
  packing(input: Input, options: PackingOption, callback: Callback<ArrayBuffer>): void;
  /** A descriptor, written from its offset, all or nothing; or a path, replaced as a whole. */
  packToFile(input: Input, file: number | string, options: PackingOption): Promise<void>;
  packToFile(input: Input, file: number | string, options: PackingOption, callback: Callback<void>): void;
  packToDataFromPixelmapSequence(pixelMaps: PixelMap[], options: PackingOptionsForSequence): Promise<ArrayBuffer>;
  packToFileFromPixelmapSequence(pixelMaps: PixelMap[], fd: number, options: PackingOptionsForSequence): Promise<void>;
  release(): Promise<void>;
  release(callback: Callback<void>): void;
}

export declare function createImagePacker(): ImagePacker;
export declare function createImageSource(from: string | number | Bytes): ImageSource;
export declare function createPixelMap(pixels: Bytes, options: InitializationOptions): Promise<PixelMap>;
export declare function createPixelMapSync(pixels: Bytes, options: InitializationOptions): PixelMap;
export declare function createPicture(main: PixelMap): Picture;
/** The versions of the library and of the codecs inside. */
export declare function version(): string;
