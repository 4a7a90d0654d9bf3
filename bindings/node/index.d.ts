/** Bytes of any kind; copied by the calls that take them. */
export type Bytes = ArrayBuffer | ArrayBufferView;

export declare const PixelMapFormat: Readonly<Record<
  'RGB_565' | 'RGBA_8888' | 'BGRA_8888' | 'RGB_888' | 'ALPHA_8' | 'RGBA_F16' | 'NV21' | 'NV12' | 'RGBA_1010102' |
  'YCBCR_P010' | 'YCRCB_P010' | 'GRAY_8' | 'GRAY_ALPHA_88' | 'BGR_888' | 'RGBX_8888' | 'BGRX_8888' | 'ARGB_8888' |
  'GRAY_16' | 'RGB_161616' | 'RGBA_16161616' | 'RGBA_F32' | 'I420' | 'I422' | 'I444', number>>;
export declare const AlphaType: Readonly<{ UNKNOWN: 0; OPAQUE: 1; PREMUL: 2; UNPREMUL: 3 }>;
export declare const PackingDynamicRange: Readonly<{ AUTO: 0; SDR: 1 }>;
export declare const AuxiliaryPictureType: Readonly<{ GAINMAP: 1; DEPTH_MAP: 2; UNREFOCUS_MAP: 3; LINEAR_MAP: 4; FRAGMENT_MAP: 5 }>;
/** Codes of a report's warnings. */
export declare const Warning: Readonly<Record<
  'EXIF_DROPPED' | 'XMP_DROPPED' | 'IPTC_DROPPED' | 'EXIF_CHANGED' | 'XMP_CHANGED' | 'GPS_REMOVED' | 'PROVENANCE_DROPPED' |
  'VENDOR_DATA_DROPPED' | 'DENSITY_DROPPED' | 'PROFILE_DROPPED' | 'COLOR_CONVERTED' | 'TONE_MAPPED' | 'GAIN_MAP_DROPPED' |
  'AUXILIARY_DROPPED' | 'FRAMES_DROPPED' | 'DEPTH_REDUCED' | 'ALPHA_BLENDED' | 'DEVICE_FAILED', number>>;
/** Bits of formatFeatures(). */
export declare const FormatFeature: Readonly<{
  LOSSY: 1; LOSSLESS: 2; ALPHA: 4; ANIMATION: 8; HDR: 16; GAIN_MAP: 32; DEEP: 64; METADATA: 128; PROFILES: 256 }>;

export interface Size {
  width: number;
  height: number;
}

/** Brightest pixel and brightest frame average, in nits; 0 is unknown. */
export interface ContentLightLevel {
  maxCll?: number;
  maxFall?: number;
}

/** The display on which HDR content was made: chromaticities x, y and nits. */
export interface MasteringDisplay {
  primaries: [[number, number], [number, number], [number, number]];
  whitePoint: [number, number];
  maxLuminance: number;
  minLuminance: number;
}

export interface InitializationOptions {
  size: Size;
  /** Of the bytes given. Default: BGRA_8888, as on the platform. */
  srcPixelFormat?: number;
  pixelFormat?: number;
  /** Default: UNPREMUL where the format has alpha. */
  alphaType?: number;
  /** Bytes from a row to the next; 0, the default: tight. */
  stride?: number;
  /**
   * ITU-T H.273: primaries, transfer, matrix (default 0), full range (default true). Default: sRGB. Display P3 is [12, 13]; HDR is
   * [9, 16, 9] (PQ) or [9, 18, 9] (HLG).
   */
  cicp?: [number, number, number?, boolean?];
  /** Goes before `cicp`. */
  iccProfile?: Bytes;
  contentLightLevel?: ContentLightLevel;
  masteringDisplay?: MasteringDisplay;
}

/** What the options of single images and of sequences share. */
export interface CommonOption {
  /** 1 (fastest) to 10 (smallest); default 5 */
  effort?: number;
  /** Exact pixels or an error. */
  lossless?: boolean;
  /** EXIF, XMP and IPTC of the input are written. Default: false. */
  needsPackProperties?: boolean;
  /** The place is written with them. Default: true. */
  keepGps?: boolean;
  /** Bytes of an old file behind the image: 'auto' cuts them if the image starts at offset 0. */
  tail?: 'auto' | 'cut' | 'keep';
  /** Files are on the disk before the pack is done. */
  sync?: boolean;
  /** Milliseconds after which the pack fails. */
  timeout?: number;
  /** Settings of one codec, as formatSettings() lists them: {'webp.sharp_yuv': true, 'hdr.form': 'signal'} */
  settings?: Record<string, string | number | boolean>;
  /** Is filled when the pack has succeeded. */
  report?: Report;
  /** Stops the encoder; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** 0 to 1; 1 when the pack has succeeded. */
  onProgress?: (done: number) => void;
}

export interface PackingOption extends CommonOption {
  /** MIME type; of several, the last. */
  format: string | string[];
  /** 0 to 100 */
  quality: number;
  /** A hint. */
  bufferSize?: number;
  /** PackingDynamicRange. Default: AUTO, HDR where input and format have it. */
  desiredDynamicRange?: number;
  /** Longest side of a thumbnail in EXIF, up to 1024. Default: 0, none. */
  maxEmbedThumbnailDimension?: number;
  /** 0xRRGGBB */
  backgroundColor?: number;
  /** Default by quality */
  chromaSubsampling?: 420 | 422 | 444;
  /** The highest quality, up to the one given, whose bytes are no more. */
  maxBytes?: number;
  /** 'srgb': colours are converted to sRGB. Default: 'keep', with their profile. */
  color?: 'keep' | 'srgb';
  /** Dots per inch, of both axes or of each, written where the format has a place for them. */
  density?: number | [number, number];
}

export interface SequenceOption extends CommonOption {
  /** Default: image/gif. Also image/apng, image/webp, and with libheif 1.21 image/avif and image/heic. */
  format?: string;
  /** In units of 10 ms; the last one is for all further frames. Default: 10, or the source's. */
  delayTimeList?: number[];
  /** 0 to 3; the last one is for all further frames. */
  disposalTypes?: number[];
  /** Left and top edge of each frame. */
  offsets?: [number, number][];
  /** Default: the smallest that holds every frame; of frames one by one, the first. */
  canvas?: Size;
  /** 0 is for ever. Default: 1, or the source's. */
  loopCount?: number;
  /** 0 to 100; default 80 */
  quality?: number;
  /** Of palettes: GIF. Default: 'diffusion'. */
  dithering?: 'diffusion' | 'ordered' | 'none';
  /** Whose metadata is written, in place of the source's. */
  metadata?: Picture;
}

export interface PackingOptionsForSequence extends SequenceOption {
  /** More than there are: the last one again. Fewer: the first ones. */
  frameCount: number;
}

export interface AnimationOption extends SequenceOption {
  /** A path or a descriptor; without it the promise is of the bytes. */
  file?: string | number;
  /** As many as there are to be, if it is known. */
  frameCount?: number;
}

export interface Frame {
  pixelMap: PixelMap;
  /** Milliseconds. Default: as delayTimeList says. */
  duration?: number;
  /** 0 or 1: stays, 2: becomes transparent, 3: what was there before comes back. */
  disposalType?: number;
  /** Left and top edge on the canvas. Default: as offsets say. */
  x?: number;
  y?: number;
}

export interface BatchOption extends PackingOption {
  /** One descriptor for each image. */
  files?: number[];
  /** Images go into files of this folder: prefix + stem of the name + suffix + "." + extension. */
  folder?: string;
  /** One for each image: of what it was made. */
  names?: string[];
  /** Which of several images of one name gets it: the first, all with numbers, the last. Default: 'error', the first. */
  sameName?: 'error' | 'number' | 'last';
  /** Default: "out_" */
  prefix?: string;
  suffix?: string;
  /** Default: the format's. */
  extension?: string;
  /** Results have reports. */
  reports?: boolean;
  /** In order of completion. */
  onImage?: (index: number, result: BatchResult) => void;
}

export interface BatchResult {
  /** The image, where images go into memory and this one succeeded. */
  data?: ArrayBuffer;
  /** Why it failed. */
  error?: PackError;
  report?: ReportData & { milliseconds: number };
}

export interface ReportData {
  /** Encoded. */
  bytes: number;
  size: Size;
  /** With which it was encoded; see maxBytes. */
  quality: number;
  format: string;
  codec: string;
  backend: string;
  /** Everything that was dropped, repaired or converted. */
  warnings: { code: number; text: string }[];
}

/** What became of an image: pass it as `report`. Its properties throw until a pack has filled it. */
export declare class Report implements ReportData {
  readonly bytes: number;
  readonly size: Size;
  readonly quality: number;
  readonly format: string;
  readonly codec: string;
  readonly backend: string;
  readonly warnings: { code: number; text: string }[];
  read(): ReportData;
}

export declare class PixelMap {
  constructor(pixels: Bytes, options: InitializationOptions);
  getImageInfoSync(): { size: Size; pixelFormat: number; contentLightLevel?: Required<ContentLightLevel>; masteringDisplay?: MasteringDisplay };
  /** Bytes of the pixels where rows are tight. */
  getPixelBytesNumber(): number;
  /** A copy of the pixels, rows tight. */
  readPixelsSync(): Uint8Array;
  readPixelsToBuffer(buffer: Bytes, stride?: number): Promise<void>;
  readPixelsToBufferSync(buffer: Bytes, stride?: number): void;
  /** Replaces all pixels; packs that run go on with the old ones. */
  writeBufferToPixels(buffer: Bytes, stride?: number): Promise<void>;
  writeBufferToPixelsSync(buffer: Bytes, stride?: number): void;
  /** Gives the memory back now, without waiting for the collector; packs that run go on. */
  release(): Promise<void>;
}

export interface ImageInfo {
  size: Size;
  mimeType: string;
  frameCount: number;
  loopCount: number;
}

export declare class ImageSource {
  /** A path, a descriptor, or bytes. */
  constructor(from: string | number | Bytes);
  getImageInfo(): Promise<ImageInfo>;
  getImageInfoSync(): ImageInfo;
  getFrameCount(): Promise<number>;
  /** Milliseconds of each frame. */
  getDelayTimeList(): Promise<number[]>;
  getDisposalTypeList(): Promise<number[]>;
  /** Decodes a frame, upright. */
  createPixelMap(options?: { index?: number }): Promise<PixelMap>;
  createPixelMapSync(options?: { index?: number }): PixelMap;
  /** Frame after frame as it looks, decoded when it is asked for. */
  frames(): AsyncGenerator<{ pixelMap: PixelMap; duration: number; disposalType: number }, void, void>;
  /** Decodes it, with metadata and auxiliary images. */
  createPicture(): Promise<Picture>;
  createPictureSync(): Picture;
  /** A picture of the metadata alone, for editMetadata(): no pixel is decoded. */
  createMetadata(): Promise<Picture>;
  createMetadataSync(): Picture;
  release(): Promise<void>;
}

/** One value, or one each for red, green and blue. */
export type Channels = number | [number, number, number];

/** How the gain map brightens the main image (ISO 21496-1); headrooms and gains are log2. */
export interface GainMapParams {
  /** Default: 0, SDR. */
  baseHeadroom?: number;
  alternateHeadroom: number;
  /** Default: 0. */
  gainMin?: Channels;
  gainMax: Channels;
  /** Default: 1. */
  gamma?: Channels;
  /** Default: 1/64. */
  baseOffset?: Channels;
  /** Default: 1/64. */
  alternateOffset?: Channels;
  /** Default: true. */
  useBaseColor?: boolean;
}

export interface Gps {
  /** Degrees north, -90 to 90. */
  latitude: number;
  /** Degrees east, -180 to 180. */
  longitude: number;
  /** Metres above the sea. */
  altitude?: number;
}

export type PropertyName = 'make' | 'model' | 'software' | 'copyright' | 'date' | 'dateChanged';

/** A main image, what belongs to it, and its metadata, which is written with needsPackProperties. */
export declare class Picture {
  constructor(main: PixelMap);
  /** null for metadata alone. */
  getMainPixelmap(): PixelMap | null;
  getAuxiliaryPicture(type: number): PixelMap | null;
  /** null removes it. */
  setAuxiliaryPicture(type: number, pixelMap: PixelMap | null): void;
  getGainmapPixelmap(): PixelMap | null;
  setGainmap(pixelMap: PixelMap, params: GainMapParams): void;
  setGainmap(pixelMap: null): void;
  get gainMapParams(): Required<GainMapParams> | null;
  /** null removes the gain map. */
  set gainMapParams(params: GainMapParams | null);
  /** The same scene in HDR: the gain map is computed when the picture is packed. */
  hdrRendition: PixelMap | null;
  /** The main image with its gain map applied, for a display whose peak is `headroom` stops above white; default: in full. */
  getHdrComposedPixelmap(options?: { pixelFormat?: number; headroom?: number }): Promise<PixelMap>;
  /** From its TIFF header on. */
  get exif(): ArrayBuffer | null;
  set exif(bytes: Bytes | null);
  /** A packet in UTF-8. */
  get xmp(): ArrayBuffer | null;
  set xmp(packet: Bytes | string | null);
  /** Photoshop's image resources, from the first "8BIM" on. */
  get iptc(): ArrayBuffer | null;
  set iptc(bytes: Bytes | null);
  getProperty(name: PropertyName): string | null;
  /** Dates are "2024:05:06 07:08:09"; null removes it. */
  setProperty(name: PropertyName, text: string | null): void;
  /** Where the image was taken; null removes it from EXIF and XMP. */
  gps: Gps | null;
  /** Dots per inch of both axes. */
  get density(): [number, number] | null;
  set density(dpi: number | [number, number] | null);
  /** 1 to 8, as in EXIF. */
  orientation: number;
  /** Whether the file had provenance data (C2PA), which is never written again. */
  readonly hasProvenance: boolean;
  release(): Promise<void>;
}

export type Input = PixelMap | ImageSource | Picture;
/** An Error whose `code` is the platform's number; `causeCode` says more, as IMAGE_CAUSE_ does in C. */
export type PackError = Error & { code: number; causeCode: number };
export type Callback<T> = (error: PackError | undefined, result?: T) => void;

/** 0, the default of each: the library's. */
export interface PackerLimits {
  /** Of all packs together. Default: one per core. */
  threads?: number;
  maxPixels?: number;
  /** Bytes of working memory of all packs together; packs wait until there is room. */
  memoryLimit?: number;
}

export declare class ImagePacker {
  constructor(limits?: PackerLimits);
  readonly supportedFormats: string[];
  packToData(input: Input, options: PackingOption): Promise<ArrayBuffer>;
  packToData(input: Input, options: PackingOption, callback: Callback<ArrayBuffer>): void;
  packing(input: Input, options: PackingOption): Promise<ArrayBuffer>;
  packing(input: Input, options: PackingOption, callback: Callback<ArrayBuffer>): void;
  /** A descriptor, written from its offset, all or nothing; or a path, replaced as a whole. */
  packToFile(input: Input, file: number | string, options: PackingOption): Promise<void>;
  packToFile(input: Input, file: number | string, options: PackingOption, callback: Callback<void>): void;
  packToDataFromPixelmapSequence(pixelMaps: PixelMap[], options: PackingOptionsForSequence): Promise<ArrayBuffer>;
  packToFileFromPixelmapSequence(pixelMaps: PixelMap[], file: number | string, options: PackingOptionsForSequence): Promise<void>;
  /**
   * An animation of all frames of a source, or of anything that can be iterated, generators above all: one frame is held at a time.
   * What is iterated is told to end when the pack fails or is aborted.
   */
  packAnimation(frames: ImageSource | Iterable<PixelMap | Frame> | AsyncIterable<PixelMap | Frame>,
    options: AnimationOption & { file: string | number }): Promise<void>;
  packAnimation(frames: ImageSource | Iterable<PixelMap | Frame> | AsyncIterable<PixelMap | Frame>,
    options?: AnimationOption & { file?: undefined }): Promise<ArrayBuffer>;
  /** Many images on all cores. Each ends for itself: the promise is rejected for bad options or an abort only. */
  packBatch(inputs: Iterable<Input | { input: Input; options?: Partial<PackingOption> }>, options: BatchOption): Promise<BatchResult[]>;
  /** Packs that run go on. */
  release(): Promise<void>;
  release(callback: Callback<void>): void;
}

export declare function createImagePacker(limits?: PackerLimits): ImagePacker;
export declare function createImageSource(from: string | number | Bytes): ImageSource;
export declare function createPixelMap(pixels: Bytes, options: InitializationOptions): Promise<PixelMap>;
export declare function createPixelMapSync(pixels: Bytes, options: InitializationOptions): PixelMap;
export declare function createPicture(main: PixelMap): Picture;
/** The file of a source with the metadata of a picture, without encoding anew: JPEG, PNG, WebP. */
export declare function editMetadata(source: ImageSource, picture: Picture): Promise<ArrayBuffer>;
export declare function editMetadata(source: ImageSource, picture: Picture, file: string | number): Promise<void>;
/** FormatFeature bits; 0 if the format cannot be written. */
export declare function formatFeatures(format: string): number;
/** Each as "name: meaning, values, default". */
export declare function formatSettings(format: string): string[];
/** The versions of the library and of the codecs inside. */
export declare function version(): string;
