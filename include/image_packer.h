/**
 * @file image_packer.h
 * @brief Encode pixels into JPEG, PNG, WebP, HEIF and more, from any language.
 *
 *     #include <image_packer.h>
 *
 *     ImagePacker *packer = NULL;
 *     ImagePixelMap *pixels = NULL;
 *     ImagePackingOptions *options = NULL;
 *     ImageData *data = NULL;
 *
 *     if (image_packer_create(&packer) == IMAGE_OK &&
 *         image_pixelmap_create_from_copy(6, 4, IMAGE_PIXEL_FORMAT_RGBA_8888, rgba, sizeof rgba, 0, &pixels) == IMAGE_OK &&
 *         image_packing_options_create("image/jpeg", 98, &options) == IMAGE_OK &&
 *         image_packer_pack_to_data(packer, pixels, options, &data) == IMAGE_OK)
 *       fwrite(image_data_bytes(data), 1, image_data_size(data), file);
 *     else
 *       fprintf(stderr, "%s\n", image_packer_last_error_message());
 *
 *     image_data_release(data);
 *     image_packing_options_release(options);
 *     image_pixelmap_release(pixels);
 *     image_packer_release(packer);
 *
 * THE RULES. They hold for every function; a function's own comment says only what is special about it.
 *
 * 1. Status. A function that can fail returns an ImageStatus. IMAGE_OK is 0. Outputs are written only on IMAGE_OK; a
 *    failed call changes nothing.
 * 2. Handles. A pointer to an opaque type is a token, not an address: never dereferenced, never reused while a copy of
 *    it can reasonably be around. NULL, a handle of another type, a released handle and a value that never was a handle
 *    all answer IMAGE_ERROR_INVALID_ARGUMENT (401), where nothing else is said. Releasing twice is one of these.
 * 3. Lifetime. Whoever creates a handle releases it, once. A call in progress keeps what it uses alive: releasing a
 *    handle another thread is using is safe and takes effect when that call ends.
 * 4. Memory. Input is copied unless the name says `borrowed`. The library frees what the library allocated; it never
 *    frees a pointer of yours.
 * 5. Threads. Every function may be called from any thread at any time. A thread that is cancelled (pthread_cancel) in a
 *    call ends after it. The process may exit() while calls and jobs run: that waits for what is in the platform's
 *    libheif, ten seconds at most.
 * 6. Callbacks. `void *user` comes first. 0 means "go on", anything else means "stop". A callback may call this library.
 *    It must return: no exception and no longjmp may leave it.
 * 7. Text is UTF-8 and NUL-terminated. Sizes are bytes. Strides are bytes. Coordinates are pixels.
 * 8. Growth. Nothing here has public fields, so nothing here has a layout. New releases add functions and constants;
 *    they never change or remove one.
 */

#ifndef IMAGE_PACKER_H
#define IMAGE_PACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Define IMAGE_PACKER_STATIC on Windows to link the static library. */
#ifndef IMAGE_PACKER_API
#if defined(_WIN32) && !defined(IMAGE_PACKER_STATIC)
#define IMAGE_PACKER_API __declspec(dllimport)
#else
#define IMAGE_PACKER_API
#endif
#endif

/* Warns whoever ignores the status of a call that makes something. */
#if defined(__GNUC__) || defined(__clang__)
#define IMAGE_PACKER_NODISCARD __attribute__((warn_unused_result))
#else
#define IMAGE_PACKER_NODISCARD
#endif

/** The version of this header as one number: 1.2.3 is 0x010203. Compare with image_packer_version(). */
#define IMAGE_PACKER_VERSION \
  ((IMAGE_PACKER_VERSION_MAJOR << 16) | (IMAGE_PACKER_VERSION_MINOR << 8) | IMAGE_PACKER_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Status ============================================================================================== */

/** What a call came to. Compare with the IMAGE_ERROR_ constants; treat an unknown value as a failure. */
typedef int32_t ImageStatus;

/** Success. */
#define IMAGE_OK 0
/** NULL, out of range, contradictory, or not a live handle of this type. */
#define IMAGE_ERROR_INVALID_ARGUMENT 401
/** As 401, from pack_to_file with a pixel map or an image source; also for a descriptor that cannot be written. */
#define IMAGE_ERROR_INVALID_FILE_ARGUMENT 62980115
/**
 * The operation failed: the input could not be read, the output could not be written, or memory ran out.
 * image_packer_last_error_cause() says which.
 */
#define IMAGE_ERROR_FAILED 62980096
/** The image data is damaged. */
#define IMAGE_ERROR_BAD_DATA 62980101
/** The image is larger than the format, or than a limit set here, allows. */
#define IMAGE_ERROR_TOO_LARGE 62980106
/** The format is unknown, or not available on this machine. */
#define IMAGE_ERROR_UNKNOWN_FORMAT 62980113
/** The encoder refused the image. */
#define IMAGE_ERROR_ENCODE 62980119
/** A sequence holds more, or fewer, frames than its options describe. */
#define IMAGE_ERROR_FRAME_COUNT 62980120
/** The ICC profile could not be embedded. */
#define IMAGE_ERROR_ICC 62980172
/** A working surface could not be created. */
#define IMAGE_ERROR_SURFACE 62980252
/** A picture or a sequence could not be encoded. */
#define IMAGE_ERROR_ENCODE_PICTURE 7800301
/** Stopped by image_job_cancel(), by a callback, or because its time was over. */
#define IMAGE_ERROR_CANCELLED 1001
/** The job has not ended yet; it goes on. */
#define IMAGE_ERROR_NOT_READY 1002

/** Why, in one word; finer than the status and free to grow. */
typedef int32_t ImageErrorCause;

/** No failure yet. */
#define IMAGE_CAUSE_NONE 0
/** A required pointer was NULL. */
#define IMAGE_CAUSE_NULL_POINTER 1
/** A value that never was a handle. */
#define IMAGE_CAUSE_NOT_A_HANDLE 2
/** A live handle of another type. */
#define IMAGE_CAUSE_WRONG_HANDLE 3
/** A handle that has been released. */
#define IMAGE_CAUSE_RELEASED_HANDLE 4
/** An argument out of its range, or arguments that contradict each other. */
#define IMAGE_CAUSE_OUT_OF_RANGE 5
/** The caller's buffer is too small. */
#define IMAGE_CAUSE_BUFFER_TOO_SMALL 6
/** A valid request that this build or this format cannot serve. */
#define IMAGE_CAUSE_UNSUPPORTED 7
/** Reading the input failed. */
#define IMAGE_CAUSE_READ 8
/** Writing the output failed. */
#define IMAGE_CAUSE_WRITE 9
/** An allocation failed. */
#define IMAGE_CAUSE_OUT_OF_MEMORY 10
/** A limit of the packer, or of the format. */
#define IMAGE_CAUSE_LIMIT 11
/** Stopped by a cancel or by a callback. */
#define IMAGE_CAUSE_CANCELLED 12
/** A fault of this library. */
#define IMAGE_CAUSE_BUG 13
/** A descriptor that cannot be used: closed, read-only, a directory. */
#define IMAGE_CAUSE_BAD_DESCRIPTOR 14
/** The encoded input is damaged. */
#define IMAGE_CAUSE_BAD_DATA 15
/** The format is unknown or not available. */
#define IMAGE_CAUSE_UNKNOWN_FORMAT 16
/** The encoder refused the image. */
#define IMAGE_CAUSE_ENCODE 17
/** The ICC profile cannot be embedded. */
#define IMAGE_CAUSE_ICC 18
/** More or fewer frames than announced. */
#define IMAGE_CAUSE_FRAME_COUNT 19
/** A working surface could not be made. */
#define IMAGE_CAUSE_SURFACE 20
/** The time of image_packing_options_set_timeout() was over. */
#define IMAGE_CAUSE_TIMED_OUT 21
/** The job has not ended yet. */
#define IMAGE_CAUSE_NOT_READY 22

/* ==== Callbacks =========================================================================================== */

/**
 * The library is done with `user` and with the memory passed along with it.
 * Called exactly once, on any thread, if the creating call returned IMAGE_OK; never if it failed.
 */
typedef void (*ImageReleaseFn)(void *user);

/** Takes `size` encoded bytes. Called in order, never at the same time. 0 goes on, anything else stops. */
typedef int32_t (*ImageWriteFn)(void *user, const uint8_t *bytes, size_t size);

/**
 * Fills `buffer` with up to `capacity` bytes from `offset`; stores the count in `*size`, 0 at the end.
 * Answers 0, or anything else for a failure. One call at a time; within it, whatever has to read the same source fails.
 */
typedef int32_t (*ImageReadFn)(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size);

/** `done` of 1000 parts. Never decreases; 1000 is reported once, on success. 0 goes on, anything else stops. */
typedef int32_t (*ImageProgressFn)(void *user, uint32_t done);

/** A line for the log. `level`: 1 error, 2 warning, 3 info, 4 debug. */
typedef void (*ImageLogFn)(void *user, int32_t level, const char *line);

/* ==== Version and errors ================================================================================== */

/** The parts of the version, for the header's macros; `tests/header.rs` compares them with Cargo's. */
#define IMAGE_PACKER_VERSION_MAJOR 1
/** See IMAGE_PACKER_VERSION_MAJOR. */
#define IMAGE_PACKER_VERSION_MINOR 0
/** See IMAGE_PACKER_VERSION_MAJOR. */
#define IMAGE_PACKER_VERSION_PATCH 0

/** Version of the loaded library, as IMAGE_PACKER_VERSION: 1.2.3 is 0x010203. */
IMAGE_PACKER_API uint32_t image_packer_version(void);

/**
 * Version of the loaded library and of the codecs inside, in one line for a bug report:
 * "image_packer 1.0.0 (libwebp-sys 0.14.4, ...)". libheif, loaded at run time, is not named. Static; never NULL.
 */
IMAGE_PACKER_API
const char *image_packer_version_string(void);

/** One line of English naming a status: "Invalid argument". Static; never NULL. */
IMAGE_PACKER_API const char *image_status_text(ImageStatus status);

/**
 * What went wrong in this thread's last failed call, with the numbers:
 * "row stride 20 is less than 6 pixels x 4 bytes". "" if nothing failed yet; never NULL.
 *
 * Valid until this thread's next failed call. A successful call leaves it alone.
 */
IMAGE_PACKER_API const char *image_packer_last_error_message(void);

/** Status of this thread's last failed call; IMAGE_OK if nothing failed yet. */
IMAGE_PACKER_API ImageStatus image_packer_last_error_status(void);

/** Cause of this thread's last failed call; IMAGE_CAUSE_NONE if nothing failed yet. */
IMAGE_PACKER_API ImageErrorCause image_packer_last_error_cause(void);

/**
 * Sets where log lines up to `level` go, for the whole process. NULL, the default, is silence: the library never
 * writes to stdout or stderr.
 *
 * @param log    called on any thread, by several at once; must not call image_packer_set_log(). What it does itself makes no
 *               lines
 * @param user   handed to `log`. A call that has begun on another thread goes on after `log` was replaced, so `user` may
 *               be freed when no call of this library is in progress
 * @param level  1 errors, 2 and warnings; 3 (information) and 4 (debugging) are reserved and add nothing yet
 * @return IMAGE_OK; 401 for another level.
 */
IMAGE_PACKER_API
ImageStatus image_packer_set_log(ImageLogFn log,
                                 void *user,
                                 int32_t level);

/* ==== ImageData =========================================================================================== */

/** Encoded bytes. Immutable. */
typedef struct ImageData ImageData;

/** The bytes, valid until release; NULL if `data` is not a live handle. */
IMAGE_PACKER_API const uint8_t *image_data_bytes(const ImageData *data);

/** The number of bytes; 0 if `data` is not a live handle. */
IMAGE_PACKER_API size_t image_data_size(const ImageData *data);

/**
 * Hands the bytes over: they are the caller's, who frees them with the C library's free(), and `data` is released.
 * Nothing is copied.
 *
 * @param[out] bytes  the memory
 * @param[out] size   the number of bytes
 */
IMAGE_PACKER_API
ImageStatus image_data_take(ImageData *data,
                            uint8_t **bytes,
                            size_t *size);

/** Frees the bytes. */
IMAGE_PACKER_API ImageStatus image_data_release(ImageData *data);

/* ==== ImagePixelMap ======================================================================================= */

/** A rectangle of pixels and what they mean. */
typedef struct ImagePixelMap ImagePixelMap;

/**
 * Memory layout of a pixel. Components are named in the order of their bytes; packed and 16-bit formats are in
 * the byte order of the machine.
 */
typedef int32_t ImagePixelFormat;

/** 16 bits: red in the high 5, green in 6, blue in the low 5. */
#define IMAGE_PIXEL_FORMAT_RGB_565 2
/** 8 bits each. */
#define IMAGE_PIXEL_FORMAT_RGBA_8888 3
/** 8 bits each. */
#define IMAGE_PIXEL_FORMAT_BGRA_8888 4
/** 8 bits each, 3 bytes a pixel. */
#define IMAGE_PIXEL_FORMAT_RGB_888 5
/** Only alpha; its colour is black. */
#define IMAGE_PIXEL_FORMAT_ALPHA_8 6
/** IEEE half floats, 8 bytes a pixel. 1.0 is SDR white. */
#define IMAGE_PIXEL_FORMAT_RGBA_F16 7
/** Plane of Y, plane of interleaved Cr, Cb at half width and height. */
#define IMAGE_PIXEL_FORMAT_NV21 8
/** Plane of Y, plane of interleaved Cb, Cr at half width and height. */
#define IMAGE_PIXEL_FORMAT_NV12 9
/** 32 bits: red in the low 10, green, blue, alpha in the high 2. */
#define IMAGE_PIXEL_FORMAT_RGBA_1010102 10
/** As NV12 with 16-bit samples, the value in the high 10 bits. */
#define IMAGE_PIXEL_FORMAT_YCBCR_P010 11
/** As NV21 with 16-bit samples, the value in the high 10 bits. */
#define IMAGE_PIXEL_FORMAT_YCRCB_P010 12
/** One component. */
#define IMAGE_PIXEL_FORMAT_GRAY_8 1000
/** Gray and alpha. */
#define IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88 1001
/** 8 bits each, 3 bytes a pixel. */
#define IMAGE_PIXEL_FORMAT_BGR_888 1002
/** The fourth byte has no meaning. */
#define IMAGE_PIXEL_FORMAT_RGBX_8888 1003
/** The fourth byte has no meaning. */
#define IMAGE_PIXEL_FORMAT_BGRX_8888 1004
/** 8 bits each. */
#define IMAGE_PIXEL_FORMAT_ARGB_8888 1005
/** 16 bits. */
#define IMAGE_PIXEL_FORMAT_GRAY_16 1006
/** 16 bits each, 6 bytes a pixel. */
#define IMAGE_PIXEL_FORMAT_RGB_161616 1007
/** 16 bits each, 8 bytes a pixel. */
#define IMAGE_PIXEL_FORMAT_RGBA_16161616 1008
/** IEEE floats, 16 bytes a pixel. 1.0 is SDR white. */
#define IMAGE_PIXEL_FORMAT_RGBA_F32 1009
/** Planes of Y, Cb, Cr; chroma at half width and height. */
#define IMAGE_PIXEL_FORMAT_I420 1010
/** Planes of Y, Cb, Cr; chroma at half width. */
#define IMAGE_PIXEL_FORMAT_I422 1011
/** Planes of Y, Cb, Cr at full size. */
#define IMAGE_PIXEL_FORMAT_I444 1012

/** What alpha means. */
typedef int32_t ImageAlphaType;

/** Nothing is known: UNPREMULTIPLIED where the format has alpha, else OPAQUE. */
#define IMAGE_ALPHA_UNKNOWN 0
/** Every pixel is opaque, whatever its alpha says. */
#define IMAGE_ALPHA_OPAQUE 1
/** Colour is multiplied by alpha already. */
#define IMAGE_ALPHA_PREMULTIPLIED 2
/** Colour is independent of alpha ("straight"). */
#define IMAGE_ALPHA_UNPREMULTIPLIED 3

/**
 * Allocates a map of zero bytes, rows packed tightly.
 *
 * @param[out] pixelmap  new handle
 * @return 401 for a zero side or an unknown format; 62980106 for more than 2^28 pixels; 62980096 without memory.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_pixelmap_create(uint32_t width,
                                  uint32_t height,
                                  ImagePixelFormat format,
                                  ImagePixelMap **pixelmap);

/**
 * Copies pixels. `pixels` may be freed on return.
 *
 * @param size        readable bytes at `pixels`
 * @param row_stride  bytes from a row to the next; 0 means rows are tight. For planar formats it is the first
 *                    plane's; each further plane starts where the one before ends, last row's padding included,
 *                    and has the same number of pixels from row to row (as cameras and video decoders do).
 * @param[out] pixelmap  new handle
 * @return 401 for a zero side, an unknown format, a stride smaller than a row or too few bytes; 62980106 for
 *         a side above 2^31 - 1 or sizes that pass the address space; 62980096 without memory.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_pixelmap_create_from_copy(uint32_t width,
                                            uint32_t height,
                                            ImagePixelFormat format,
                                            const void *pixels,
                                            size_t size,
                                            size_t row_stride,
                                            ImagePixelMap **pixelmap);

/**
 * As image_pixelmap_create_from_copy(), without the copy: `pixels` must stay readable and unchanged until
 * `release` is called. That is when the last user of the map is gone, which may be after
 * image_pixelmap_release().
 *
 * @param release  may be NULL when the memory outlives every use (static data)
 * @param user     handed to `release`
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_pixelmap_create_borrowed(uint32_t width,
                                           uint32_t height,
                                           ImagePixelFormat format,
                                           const void *pixels,
                                           size_t size,
                                           size_t row_stride,
                                           ImageReleaseFn release,
                                           void *user,
                                           ImagePixelMap **pixelmap);

/**
 * As image_pixelmap_create_borrowed(), each plane with its own place and stride: NV12 has 2, I420 has 3.
 *
 * @param planes       `plane_count` addresses
 * @param sizes        readable bytes of each plane
 * @param row_strides  bytes from row to row of each plane; 0 means tight
 * @param plane_count  as the format has planes, else 401
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_pixelmap_create_borrowed_planes(uint32_t width,
                                                  uint32_t height,
                                                  ImagePixelFormat format,
                                                  const void *const *planes,
                                                  const size_t *sizes,
                                                  const size_t *row_strides,
                                                  size_t plane_count,
                                                  ImageReleaseFn release,
                                                  void *user,
                                                  ImagePixelMap **pixelmap);

/** Width and height in pixels. Either place may be NULL. */
IMAGE_PACKER_API
ImageStatus image_pixelmap_get_size(const ImagePixelMap *pixelmap,
                                    uint32_t *width,
                                    uint32_t *height);

/** The pixel format. */
IMAGE_PACKER_API
ImageStatus image_pixelmap_get_format(const ImagePixelMap *pixelmap,
                                      ImagePixelFormat *format);

/**
 * Copies the pixels out.
 *
 * @param size        writable bytes at `buffer`
 * @param row_stride  as in image_pixelmap_create_from_copy(); 0 means tight
 * @return 401 for a buffer or a stride that is too small; nothing is written then.
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_read_pixels(const ImagePixelMap *pixelmap,
                                       void *buffer,
                                       size_t size,
                                       size_t row_stride);

/**
 * Replaces all pixels by a copy of the caller's. A pack in progress goes on with the pixels it started with;
 * nobody waits.
 *
 * @param size        readable bytes at `buffer`
 * @param row_stride  as in image_pixelmap_create_from_copy(); 0 means tight
 * @return 401 for a buffer or a stride that is too small, and for a borrowed map.
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_write_pixels(ImagePixelMap *pixelmap,
                                        const void *buffer,
                                        size_t size,
                                        size_t row_stride);

/**
 * What alpha means. Default: UNPREMULTIPLIED where the format has alpha, else OPAQUE.
 *
 * @return 401 for an unknown type, and for PREMULTIPLIED or UNPREMULTIPLIED on a format without alpha.
 */
IMAGE_PACKER_API ImageStatus image_pixelmap_set_alpha_type(ImagePixelMap *pixelmap, ImageAlphaType alpha);

/**
 * Colour as ITU-T H.273 code points. Default: sRGB, 1/13/0 full range for RGB, 1/13/6 full range for YCbCr.
 * Display P3 is 12/13/0. HDR is 9/16/9 (PQ) or 9/18/9 (HLG); for RGB formats the matrix is ignored.
 *
 * @return 401 for a code point above 255.
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_set_cicp(ImagePixelMap *pixelmap,
                                    uint16_t primaries,
                                    uint16_t transfer,
                                    uint16_t matrix,
                                    bool full_range);

/**
 * An ICC profile, copied; it takes precedence over the CICP. NULL and 0 remove it.
 *
 * A profile is of gray for gray pixels in a gray format, of RGB for all others; a pack with another answers 62980172.
 *
 * @return 62980172 for bytes that are not a profile that images have: without its signature, of another size than the
 *         header says, of a class, colour space or tags that do not hold, or not readable.
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_set_icc_profile(ImagePixelMap *pixelmap,
                                           const void *profile,
                                           size_t size);

/**
 * Brightest pixel and brightest frame average, in nits (cd/m2); 0 is unknown. Where both are unknown they are measured when
 * a file says them: PNG, HEIC and AVIF of PQ, and the HDR image of a gain map in HEIC and AVIF.
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_set_content_light_level(ImagePixelMap *pixelmap,
                                                   uint16_t max_cll,
                                                   uint16_t max_fall);

/**
 * The values of image_pixelmap_set_content_light_level(), or those of the source that the map was decoded from. 0 is
 * unknown. Either place may be NULL.
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_get_content_light_level(const ImagePixelMap *pixelmap,
                                                   uint16_t *max_cll,
                                                   uint16_t *max_fall);

/**
 * The display on which HDR content was made, in the units of SMPTE ST 2086. It is written beside PQ and HLG: as mDCV in
 * PNG, as mdcv in HEIC and AVIF. Default: unknown.
 *
 * @param primaries      chromaticities x, y of red, green and blue: 6 values in units of 0.00002, 0 to 50000. NULL
 *                       makes the display unknown again; the other values are ignored then.
 * @param white_point    x and y of white: 2 values in the same units
 * @param max_luminance  largest luminance in units of 0.0001 cd/m2; 1000 cd/m2 are 10000000
 * @param min_luminance  smallest luminance in the same units, below `max_luminance`
 * @return 401 for values out of range.
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_set_mastering_display(ImagePixelMap *pixelmap,
                                                 const uint16_t *primaries,
                                                 const uint16_t *white_point,
                                                 uint32_t max_luminance,
                                                 uint32_t min_luminance);

/**
 * The values of image_pixelmap_set_mastering_display(), or those of the source that the map was decoded from; all 0 if the
 * display is unknown. Every place may be NULL.
 *
 * @param[out] primaries    6 values
 * @param[out] white_point  2 values
 */
IMAGE_PACKER_API
ImageStatus image_pixelmap_get_mastering_display(const ImagePixelMap *pixelmap,
                                                 uint16_t *primaries,
                                                 uint16_t *white_point,
                                                 uint32_t *max_luminance,
                                                 uint32_t *min_luminance);

/** Releases the map. Packs that are using it go on. */
IMAGE_PACKER_API ImageStatus image_pixelmap_release(ImagePixelMap *pixelmap);

/* ==== ImageSource ========================================================================================= */

/** An encoded image to be re-encoded. Only its header is read at creation. */
typedef struct ImageSource ImageSource;

/**
 * Copies encoded bytes.
 *
 * @param[out] source  new handle
 * @return 62980113 for a format that is not known; 62980101 for a damaged header.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_source_create_from_copy(const void *encoded,
                                          size_t size,
                                          ImageSource **source);

/**
 * Borrows encoded bytes: they must stay readable and unchanged until `release` is called, when the last user of
 * the source is gone.
 *
 * @param release  may be NULL when the memory outlives every use
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_source_create_borrowed(const void *encoded,
                                         size_t size,
                                         ImageReleaseFn release,
                                         void *user,
                                         ImageSource **source);

/**
 * Reads a regular file by offset: neither moves nor closes `fd`, which the caller may close on return.
 *
 * @return 401 for a descriptor that is not open; 62980096 for one that is not a regular file.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD ImageStatus image_source_create_from_fd(int fd, ImageSource **source);

/**
 * Opens and reads a regular file by path; reads it by offset when pixels are asked for, so it must not change meanwhile.
 *
 * @param path  the system's own bytes for a name; need not be UTF-8 where the system does not demand it
 * @return 62980096 for a file that cannot be opened or is not a regular one (a pipe is not waited for).
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_source_create_from_path(const char *path,
                                          ImageSource **source);

/**
 * Reads through a callback, one call at a time, on any thread.
 *
 * @param release  called when the last user of the source is gone; may be NULL
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_source_create_from_reader(ImageReadFn read,
                                            ImageReleaseFn release,
                                            void *user,
                                            ImageSource **source);

/** MIME type found in the data; static, never NULL on IMAGE_OK. */
IMAGE_PACKER_API ImageStatus image_source_get_format(const ImageSource *source, const char **mime);

/** Width and height in pixels, upright. Either place may be NULL. */
IMAGE_PACKER_API
ImageStatus image_source_get_size(const ImageSource *source,
                                  uint32_t *width,
                                  uint32_t *height);

/** Number of frames; 1 for a still image. */
IMAGE_PACKER_API ImageStatus image_source_get_frame_count(const ImageSource *source, size_t *count);

/** How often the animation is to be shown; 0 is for ever, 1 for a still image. */
IMAGE_PACKER_API ImageStatus image_source_get_loop_count(const ImageSource *source, uint32_t *loops);

/**
 * Time on screen of frame `index` in milliseconds, rounded; 0 for a still image.
 *
 * @return 401 for an index past the last frame.
 */
IMAGE_PACKER_API
ImageStatus image_source_get_frame_delay(const ImageSource *source,
                                         size_t index,
                                         uint32_t *milliseconds);

/**
 * What becomes of frame `index` before the next one: 0 to 3 as in image_sequence_options_set_disposal_types(); 0 for a
 * still image.
 *
 * @return 401 for an index past the last frame.
 */
IMAGE_PACKER_API
ImageStatus image_source_get_frame_disposal(const ImageSource *source,
                                            size_t index,
                                            uint32_t *disposal);

/**
 * Decodes frame `index`, upright.
 *
 * @return 401 for an index past the last frame; 62980101 for damaged data; 62980106 past 2^28 pixels.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_source_create_pixelmap(const ImageSource *source,
                                         size_t index,
                                         ImagePixelMap **pixelmap);

/** Releases the source. Packs that are using it go on. */
IMAGE_PACKER_API ImageStatus image_source_release(ImageSource *source);

/* ==== ImageTensor ========================================================================================= */

/** Images side by side in one array, as frameworks for learning and for video hold them. Never copied; read only. */
typedef struct ImageTensor ImageTensor;

/** The type of a tensor's numbers. */
typedef int32_t ImageTensorType;

/** Unsigned 8 bits. */
#define IMAGE_TENSOR_UINT8 1
/** Unsigned 16 bits, in the byte order of the machine. */
#define IMAGE_TENSOR_UINT16 2
/** IEEE 754 half precision. */
#define IMAGE_TENSOR_FLOAT16 3
/** The upper half of a single precision number. */
#define IMAGE_TENSOR_BFLOAT16 4
/** IEEE 754 single precision. */
#define IMAGE_TENSOR_FLOAT32 5

/** What a tensor's dimensions are: N images, H rows, W columns, C components. */
typedef int32_t ImageTensorLayout;

/**
 * By number of dimensions and the sizes that can be a number of components (1, 3, 4); an error where that is not
 * certain. Three dimensions are never taken for NHW.
 */
#define IMAGE_LAYOUT_AUTO 0
/** Images of interleaved components. */
#define IMAGE_LAYOUT_NHWC 1
/** Images of planes. */
#define IMAGE_LAYOUT_NCHW 2
/** One image of interleaved components. */
#define IMAGE_LAYOUT_HWC 3
/** One image of planes. */
#define IMAGE_LAYOUT_CHW 4
/** Gray images. */
#define IMAGE_LAYOUT_NHW 5
/** One gray image. */
#define IMAGE_LAYOUT_HW 6

/** In whose memory a tensor's numbers are: the values of DLPack's DLDeviceType. */
typedef int32_t ImageDeviceType;

/** The host's. */
#define IMAGE_DEVICE_CPU 1
/** A CUDA device's. */
#define IMAGE_DEVICE_CUDA 2
/** The host's, pinned for CUDA: read like any other of the host's. */
#define IMAGE_DEVICE_CUDA_HOST 3
/** Memory that CUDA moves between the host and its devices: used as a device's. */
#define IMAGE_DEVICE_CUDA_MANAGED 13

/**
 * A tensor in memory of the caller's, which must stay readable and unchanged until `release` is called: when the last
 * user of the tensor is gone, which may be after image_tensor_release().
 *
 * @param data     the memory
 * @param size     readable bytes at `data`
 * @param offset   bytes from `data` to the first number
 * @param element_type  an IMAGE_TENSOR_ constant
 * @param layout   an IMAGE_LAYOUT_ constant
 * @param shape    sizes of the dimensions, in the order of the layout
 * @param strides  bytes from one number to the next along each dimension, of any sign, 0 repeats; NULL: contiguous
 * @param dimensions  number of values at `shape` and `strides`
 * @param release  may be NULL when the memory outlives every use
 * @param user     handed to `release`
 * @return 401 for a shape that does not go with the layout, a layout that cannot be told, memory that is too small.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_tensor_create_borrowed(const void *data,
                                         size_t size,
                                         size_t offset,
                                         ImageTensorType element_type,
                                         ImageTensorLayout layout,
                                         const int64_t *shape,
                                         const int64_t *strides,
                                         size_t dimensions,
                                         ImageReleaseFn release,
                                         void *user,
                                         ImageTensor **tensor);

/**
 * As image_tensor_create_borrowed() with memory of a device. image_tensor_set_stream() says what to wait for.
 *
 * @param device_type  an IMAGE_DEVICE_ constant
 * @param device       the device's number; no matter for the host's memory
 * @param data         an address of the device's
 * @return 401 also for a device that is not there, and with cause UNSUPPORTED where there is no driver for it.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_tensor_create_on_device(ImageDeviceType device_type,
                                          int32_t device,
                                          const void *data,
                                          size_t size,
                                          size_t offset,
                                          ImageTensorType element_type,
                                          ImageTensorLayout layout,
                                          const int64_t *shape,
                                          const int64_t *strides,
                                          size_t dimensions,
                                          ImageReleaseFn release,
                                          void *user,
                                          ImageTensor **tensor);

/**
 * Takes over a DLPack tensor, version 1, of the host's memory or a device's: its deleter is called exactly once, on any
 * thread, when the last user of the tensor is gone, and before this returns if it fails. Read-only tensors are welcome.
 *
 * @param managed  a DLManagedTensorVersioned, from now on the library's
 * @param layout   an IMAGE_LAYOUT_ constant
 * @return 401 as image_tensor_create_on_device(), and with cause UNSUPPORTED for other types of numbers and devices.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_tensor_create_from_dlpack(void *managed,
                                            ImageTensorLayout layout,
                                            ImageTensor **tensor);

/** As image_tensor_create_from_dlpack() with a DLManagedTensor, as DLPack was before version 1. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_tensor_create_from_dlpack_legacy(void *managed,
                                                   ImageTensorLayout layout,
                                                   ImageTensor **tensor);

/**
 * On which of its device's streams a tensor's numbers are made. What the stream has been given when
 * image_batch_add_tensor() is called is waited for, by the device and not by the call; the stream itself is given nothing
 * to do. No matter for the host's memory, whose numbers have to be there.
 *
 * @param stream  a CUstream or cudaStream_t of the device's primary context, or one of CUDA's constants for streams. NULL,
 *                the default, is the legacy default stream
 */
IMAGE_PACKER_API
ImageStatus image_tensor_set_stream(ImageTensor *tensor,
                                    void *stream);

/**
 * In whose memory the numbers are. Each place may be NULL.
 *
 * @param[out] device_type  IMAGE_DEVICE_CPU or IMAGE_DEVICE_CUDA
 * @param[out] device       the device's number, 0 for the host
 */
IMAGE_PACKER_API
ImageStatus image_tensor_get_device(const ImageTensor *tensor,
                                    ImageDeviceType *device_type,
                                    int32_t *device);

/** Whether components are blue, green, red[, alpha] instead of red, green, blue[, alpha]. Default: false. */
IMAGE_PACKER_API ImageStatus image_tensor_set_bgr(ImageTensor *tensor, bool bgr);

/**
 * What floating-point numbers stand for: `v * scale + bias`, where 0 is black and 1 is white. What lies outside is cut
 * off, and what is not a number is black. Default: 1 and 0; numbers from 0 to 255 want a scale of 1/255.
 *
 * @return 401 for a scale or bias that is not finite.
 */
IMAGE_PACKER_API
ImageStatus image_tensor_set_scale(ImageTensor *tensor,
                                   float scale,
                                   float bias);

/** Bits of the components that floating-point numbers become: 8, the default, or 16. */
IMAGE_PACKER_API ImageStatus image_tensor_set_depth(ImageTensor *tensor, uint32_t bits);

/** What the fourth component means. Default: UNPREMULTIPLIED. */
IMAGE_PACKER_API ImageStatus image_tensor_set_alpha_type(ImageTensor *tensor, ImageAlphaType alpha);

/** How many images of which size. Each place may be NULL. */
IMAGE_PACKER_API
ImageStatus image_tensor_get_size(const ImageTensor *tensor,
                                  size_t *images,
                                  uint32_t *width,
                                  uint32_t *height);

/** Releases the tensor. Batches that have it go on. */
IMAGE_PACKER_API ImageStatus image_tensor_release(ImageTensor *tensor);

/* ==== ImageReport ========================================================================================= */

/**
 * What became of an image: bytes, format, and everything that was dropped, repaired or converted on the way.
 *
 * Filled by packs with options that name it: image_packing_options_set_report(). Until then its getters answer 401.
 */
typedef struct ImageReport ImageReport;

/** What is not in the output as it was in the input; free to grow. */
typedef int32_t ImageWarning;

/** EXIF was dropped: it is damaged, too large, or the format cannot carry it. */
#define IMAGE_WARNING_EXIF_DROPPED 1
/** XMP was dropped, for the same reasons. */
#define IMAGE_WARNING_XMP_DROPPED 2
/** IPTC was dropped, for the same reasons. */
#define IMAGE_WARNING_IPTC_DROPPED 3
/** A part of EXIF was left out or put right. */
#define IMAGE_WARNING_EXIF_CHANGED 4
/** Properties that describe the old file were left out of XMP. */
#define IMAGE_WARNING_XMP_CHANGED 5
/** The place where the image was taken was removed, as asked for. */
#define IMAGE_WARNING_GPS_REMOVED 6
/** Provenance data (C2PA, JUMBF) was dropped: a new encoding breaks its signatures. */
#define IMAGE_WARNING_PROVENANCE_DROPPED 7
/** A vendor's own segments were dropped: they describe the old file. */
#define IMAGE_WARNING_VENDOR_DATA_DROPPED 8
/** The format cannot carry the density. */
#define IMAGE_WARNING_DENSITY_DROPPED 9
/** An ICC profile that does not go with the pixels was dropped. */
#define IMAGE_WARNING_PROFILE_DROPPED 10
/** Colours were converted to another space. */
#define IMAGE_WARNING_COLOR_CONVERTED 11
/** High dynamic range became standard range. */
#define IMAGE_WARNING_TONE_MAPPED 12
/** The gain map was dropped. */
#define IMAGE_WARNING_GAIN_MAP_DROPPED 13
/** An auxiliary image was dropped. */
#define IMAGE_WARNING_AUXILIARY_DROPPED 14
/** Frames after the first were dropped. */
#define IMAGE_WARNING_FRAMES_DROPPED 15
/** The format has fewer bits per component. */
#define IMAGE_WARNING_DEPTH_REDUCED 16
/** Pixels that are not opaque were blended on the background. */
#define IMAGE_WARNING_ALPHA_BLENDED 17
/** Comments or other texts with a keyword were dropped: the format cannot carry them. */
#define IMAGE_WARNING_TEXT_DROPPED 18
/** The GPU was to encode and failed, so the host did; the sentence says why. */
#define IMAGE_WARNING_DEVICE_FAILED 30

/** Who encodes; free to grow. */
typedef int32_t ImageBackend;

/** The host's processor. */
#define IMAGE_BACKEND_CPU 1
/** nvJPEG, on a CUDA device. */
#define IMAGE_BACKEND_NVJPEG 2

/**
 * An empty report.
 *
 * @param[out] report  new handle
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD ImageStatus image_report_create(ImageReport **report);

/** The number of encoded bytes. */
IMAGE_PACKER_API ImageStatus image_report_get_bytes(const ImageReport *report, uint64_t *bytes);

/** Width and height of the encoded image in pixels. Either place may be NULL. */
IMAGE_PACKER_API
ImageStatus image_report_get_size(const ImageReport *report,
                                  uint32_t *width,
                                  uint32_t *height);

/** The quality it was encoded with: that of the options, or what image_packing_options_set_max_bytes() left of it. */
IMAGE_PACKER_API
ImageStatus image_report_get_quality(const ImageReport *report,
                                     int32_t *quality);

/** MIME type of the encoded image; static, never NULL on IMAGE_OK. */
IMAGE_PACKER_API ImageStatus image_report_get_format(const ImageReport *report, const char **mime);

/**
 * What encoded the image, with its version, copied into `text` with a NUL and cut to fit `capacity` bytes:
 * "libwebp 1.5.0".
 */
IMAGE_PACKER_API ImageStatus image_report_get_codec(const ImageReport *report, char *text, size_t capacity);

/** Who encoded the image, and so where: an IMAGE_BACKEND_ constant. */
IMAGE_PACKER_API ImageStatus image_report_get_backend(const ImageReport *report, ImageBackend *backend);

/** The number of warnings; 0 when nothing but lossy compression stands between input and output. */
IMAGE_PACKER_API ImageStatus image_report_get_warning_count(const ImageReport *report, size_t *count);

/**
 * Warning number `index`: its code, and a sentence that is copied into `text` with a NUL, cut to fit `capacity`
 * bytes. `text` may be NULL when `capacity` is 0.
 *
 * @return 401 for an index past the last.
 */
IMAGE_PACKER_API
ImageStatus image_report_get_warning(const ImageReport *report,
                                     size_t index,
                                     ImageWarning *warning,
                                     char *text,
                                     size_t capacity);

/** Releases the report. Options that name it keep it alive. */
IMAGE_PACKER_API ImageStatus image_report_release(ImageReport *report);

/* ==== ImagePackingOptions ================================================================================= */

/** What to make of an image. A pack reads the options once, at its start. */
typedef struct ImagePackingOptions ImagePackingOptions;

/** Which dynamic range to write. */
typedef int32_t ImageDynamicRange;

/** HDR if the input is HDR and the format can carry it, else SDR. */
#define IMAGE_DYNAMIC_RANGE_AUTO 0
/** SDR; HDR input is tone-mapped. */
#define IMAGE_DYNAMIC_RANGE_SDR 1

/** Which colours to write. */
typedef int32_t ImageColorPolicy;

/** Those of the pixels, with their profile. */
#define IMAGE_COLOR_KEEP 0
/** sRGB. */
#define IMAGE_COLOR_SRGB 1

/** Chroma subsampling of lossy formats. */
typedef int32_t ImageSubsampling;

/** The codec's choice, by quality. */
#define IMAGE_SUBSAMPLING_AUTO 0
/** Chroma at half width and height. */
#define IMAGE_SUBSAMPLING_420 420
/** Chroma at half width. */
#define IMAGE_SUBSAMPLING_422 422
/** Chroma at full size. */
#define IMAGE_SUBSAMPLING_444 444

/** What happens to the bytes of an old file behind the image. */
typedef int32_t ImageTail;

/** Cut if the image started at offset 0, kept otherwise. */
#define IMAGE_TAIL_AUTO 0
/** Cut. */
#define IMAGE_TAIL_CUT 1
/** Kept. */
#define IMAGE_TAIL_KEEP 2

/** Who encodes images of tensors that are in the memory of a device. */
typedef int32_t ImageDeviceUse;

/**
 * The device where it does what the host would do: JPEG up to effort 3 of three components of 8 bits, with whatever
 * encoder the device has; the host does the rest, and what the device failed to do.
 */
#define IMAGE_DEVICE_USE_AUTO 0
/** The host: the bytes are those of an image in its own memory. */
#define IMAGE_DEVICE_USE_CPU 1
/**
 * The device, or it is an error: effort 1 gives standard Huffman tables, 2 to 5 the image's own, 6 and up progressive
 * files.
 */
#define IMAGE_DEVICE_USE_GPU 2

/**
 * Options for a format and a quality, everything else at its default.
 *
 * @param format   MIME type in any case: "image/jpeg"; common other names such as "image/jpg" are understood
 * @param quality  0 (smallest) to 100 (best); lossless formats take it and do not need it
 * @param[out] options  new handle
 * @return 62980113 for a format this machine cannot write; 401 for a quality outside 0 to 100.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packing_options_create(const char *format,
                                         int32_t quality,
                                         ImagePackingOptions **options);

/** A second handle with the same values, independent of the first. */
IMAGE_PACKER_API
ImageStatus image_packing_options_copy(const ImagePackingOptions *options,
                                       ImagePackingOptions **copy);

/** As in image_packing_options_create(). Settings of other codecs are kept. */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_format(ImagePackingOptions *options,
                                             const char *format);

/** 0 (smallest) to 100 (best). */
IMAGE_PACKER_API ImageStatus image_packing_options_set_quality(ImagePackingOptions *options, int32_t quality);

/** Bytes to reserve for the result: a hint, never a limit. Default 0: estimated. */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_buffer_size(ImagePackingOptions *options,
                                                  uint64_t size);

/**
 * Most bytes of the encoded image: it gets the highest quality, up to the one set, with which it is no larger, found
 * by encoding it about five times. image_report_get_quality() tells which. For single images. Default, and 0: no limit.
 *
 * A pack whose image is too large at quality 0 too, or that is lossless, answers 62980119 with the size that it has.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_max_bytes(ImagePackingOptions *options,
                                                uint64_t bytes);

/**
 * Which dynamic range to write: IMAGE_DYNAMIC_RANGE_AUTO (default) or IMAGE_DYNAMIC_RANGE_SDR.
 *
 * @return 401 for any other value.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_dynamic_range(ImagePackingOptions *options,
                                                    ImageDynamicRange range);

/**
 * Which colours to write: IMAGE_COLOR_KEEP (default) or IMAGE_COLOR_SRGB.
 *
 * Kept colours have the numbers of the pixels and their ICC profile byte for byte, or one made from their CICP. GIF is
 * written in sRGB in any case but that of lossless packs. Conversions go through the profile and are told by the report.
 * Images of high dynamic range that stay so keep their code points.
 *
 * @return 401 for any other value.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_color(ImagePackingOptions *options,
                                            ImageColorPolicy policy);

/**
 * Whether EXIF, XMP, IPTC and comments of the input are written, where the format carries them: JPEG and GIF have comments,
 * PNG all texts with a keyword that a PNG has; at most 256 of a file. Default: false. Auxiliary images
 * of a source are properties, too: JPEG takes those of a JPEG, byte for byte unless they have to be turned.
 *
 * Colour, density and which way is up are kept in any case. What the new pixels make wrong is put right on the way:
 * sizes, orientation, the thumbnail; the report says what was changed or left out.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_needs_pack_properties(ImagePackingOptions *options,
                                                            bool needed);

/**
 * Whether the place where the image was taken is written with its properties. If not, it is removed from EXIF and
 * XMP: tags, values, and the bytes that held them. Default: true.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_keep_gps(ImagePackingOptions *options,
                                               bool keep);

/**
 * Longest side in pixels of a thumbnail in EXIF, where the format carries EXIF and properties are written. The old
 * thumbnail is never kept: it shows the old pixels. Default: 0, none.
 *
 * @return 401 above 1024: EXIF has room for 64 KB in all.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_max_embed_thumbnail(ImagePackingOptions *options,
                                                          uint32_t pixels);

/**
 * Who encodes images of tensors that are in the memory of a device. The bytes depend on who does, and the report says so.
 * Default: AUTO.
 *
 * @param device_use  an IMAGE_DEVICE_USE_ constant; with GPU, an image that is not in a device's memory answers 401 when
 *                    it is packed
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_device_use(ImagePackingOptions *options,
                                                 ImageDeviceUse device_use);

/**
 * Every pack with these options that succeeds leaves its report in `report`, until the next. NULL, the default, is
 * nowhere.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_report(ImagePackingOptions *options,
                                             ImageReport *report);

/** How much time to spend on fewer bytes: 1 (fastest) to 10 (smallest). Default: 5. */
IMAGE_PACKER_API ImageStatus image_packing_options_set_effort(ImagePackingOptions *options, int32_t effort);

/** Exact pixels, or a pack that answers 401 with cause UNSUPPORTED where the format cannot hold them. Default: false. */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_lossless(ImagePackingOptions *options,
                                               bool lossless);

/**
 * What shows through where the format has no alpha: 0xRRGGBB in sRGB. Default: black.
 *
 * @return 401 for a value above 0xFFFFFF.
 */
IMAGE_PACKER_API ImageStatus image_packing_options_set_background(ImagePackingOptions *options, uint32_t rgb);

/** Chroma subsampling of lossy formats. Default: AUTO. */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_subsampling(ImagePackingOptions *options,
                                                  ImageSubsampling subsampling);

/**
 * Resolution in dots per inch, 1 to 65535, written where the format carries it. Default: 0 and 0, unknown.
 *
 * @return 401 if one is 0 and the other is not.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_density(ImagePackingOptions *options,
                                              uint16_t x_dpi,
                                              uint16_t y_dpi);

/** What packing into a file does with old bytes behind the image. Default: AUTO. */
IMAGE_PACKER_API ImageStatus image_packing_options_set_tail(ImagePackingOptions *options, ImageTail tail);

/**
 * Whether packing into a file or a path returns only when the storage says that it has the bytes (and, for a path,
 * its name). Finds errors that the system otherwise tells nobody, for instance of a network file system. Default:
 * false.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_sync(ImagePackingOptions *options,
                                           bool sync);

/**
 * A setting of one codec: ("webp.sharp_yuv", "1"). image_packer_get_setting() lists them. Settings of codecs
 * other than the one that packs are kept and have no effect.
 *
 * @return 401 for an unknown name or a value that the setting does not take.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set(ImagePackingOptions *options,
                                      const char *name,
                                      const char *value);

/**
 * Called while packing with these options, on the threads that pack, one call at a time. A pack that is stopped
 * answers 1001. NULL removes it.
 *
 * @param user  handed to `progress`; has to stay valid until the last pack has ended that began with these options, or
 *              with a copy of them
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_progress(ImagePackingOptions *options,
                                               ImageProgressFn progress,
                                               void *user);

/**
 * Most time that a pack with these options may take, in milliseconds, from the call on; for a job the time in the queue
 * counts too, and so does waiting for whoever reads a pipe or a socket. A pack whose time is over answers 1001 with
 * cause TIMED_OUT. Default, and 0: no limit.
 */
IMAGE_PACKER_API
ImageStatus image_packing_options_set_timeout(ImagePackingOptions *options,
                                              uint32_t timeout_ms);

/** Options that make files as another product does. */
typedef int32_t ImagePreset;

/**
 * JPEG files as CV-CUDA's samples made them with nvImageCodec up to 0.5: quality 95, 4:4:4, baseline, the standard
 * Huffman tables.
 */
#define IMAGE_PRESET_CVCUDA_05 1
/** As IMAGE_PRESET_CVCUDA_05 with quality 75, nvImageCodec's default since 0.6. */
#define IMAGE_PRESET_CVCUDA_06PLUS 2

/**
 * Options that make files as another product does.
 *
 * @param preset  an IMAGE_PRESET_ constant
 * @param[out] options  new handle; everything can still be changed
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packing_options_create_preset(ImagePreset preset,
                                                ImagePackingOptions **options);

/** Releases the options. Packs that started with them go on. */
IMAGE_PACKER_API ImageStatus image_packing_options_release(ImagePackingOptions *options);

/* ==== ImagePacker ========================================================================================= */

/** Packs images. Holds limits; one serves many threads. */
typedef struct ImagePacker ImagePacker;

/** What a format can carry: lossy compression. */
#define IMAGE_FORMAT_LOSSY 1
/** Exact compression. */
#define IMAGE_FORMAT_LOSSLESS 2
/** Transparency. */
#define IMAGE_FORMAT_ALPHA 4
/** More than one frame. */
#define IMAGE_FORMAT_ANIMATION 8
/** High dynamic range. */
#define IMAGE_FORMAT_HDR 16
/** An SDR image with a gain map. */
#define IMAGE_FORMAT_GAIN_MAP 32
/** More than 8 bits per component. */
#define IMAGE_FORMAT_DEEP 64
/** EXIF, XMP and the like; GIF carries XMP and comments alone. */
#define IMAGE_FORMAT_METADATA 128
/** ICC profiles that readers honour. */
#define IMAGE_FORMAT_PROFILES 256

/**
 * A packer with default limits.
 *
 * @param[out] packer  new handle
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD ImageStatus image_packer_create(ImagePacker **packer);

/**
 * Releases the packer. Packs in progress and jobs go on. Once its jobs have ended, no thread of the packer is left when
 * this returns.
 */
IMAGE_PACKER_API
ImageStatus image_packer_release(ImagePacker *packer);

/**
 * Most threads of one pack, the caller's own included, and most of all jobs of this packer together. 0, the default: one
 * per core. The encoded bytes do not depend on it.
 */
IMAGE_PACKER_API
ImageStatus image_packer_set_threads(ImagePacker *packer,
                                     uint32_t threads);

/** Most pixels of one image; a larger one answers 62980106. Default, and 0: 2^28. */
IMAGE_PACKER_API ImageStatus image_packer_set_max_pixels(ImagePacker *packer, uint64_t pixels);

/**
 * Most working memory in bytes of all packs of this packer together, decoding included; a pack that would pass it
 * answers 62980096 with cause LIMIT before it starts. A job waits instead, until there is room for it, and fails only
 * if it is too large by itself, or beside sequences that have been begun and not ended. Default, and 0: no limit.
 *
 * Set it where memory is short and HEIC or AVIF is used: these run in the platform's libheif, which may end the process
 * when an allocation fails.
 */
IMAGE_PACKER_API
ImageStatus image_packer_set_memory_limit(ImagePacker *packer,
                                          uint64_t bytes);

/** MIME type number `index` that this machine can write; NULL past the last. Static. */
IMAGE_PACKER_API const char *image_packer_get_supported_format(size_t index);

/** What a format can carry: IMAGE_FORMAT_ bits; 0 if it cannot be written. */
IMAGE_PACKER_API uint32_t image_packer_get_format_features(const char *format);

/**
 * Setting number `index` of a format for image_packing_options_set(), as "name: meaning, values, default". NULL
 * past the last. Static.
 */
IMAGE_PACKER_API
const char *image_packer_get_setting(const char *format,
                                     size_t index);

/**
 * Encodes a pixel map into memory.
 *
 * @param[out] data  the encoded image; release with image_data_release()
 * @return IMAGE_OK; 401 for a bad or released handle or contradictory options; 62980106 if the format cannot hold
 *         the size; 62980119 if the encoder fails; 62980172 for a profile that cannot be embedded; 1001 when the
 *         progress callback stops it; 62980096 for the rest.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data(ImagePacker *packer,
                                      const ImagePixelMap *pixelmap,
                                      const ImagePackingOptions *options,
                                      ImageData **data);

/** Re-encodes the first frame of an image source into memory. Also 62980101 and 62980113 for its data. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_source(ImagePacker *packer,
                                                  const ImageSource *source,
                                                  const ImagePackingOptions *options,
                                                  ImageData **data);

/**
 * Encodes a pixel map into a file descriptor, from its current offset. The descriptor stays open and is the
 * caller's.
 *
 * A regular file is all or nothing: the image is encoded first; if writing then fails (disk full, I/O error), the
 * file's earlier bytes, length and offset are put back, and the message says whether that worked. An image that
 * starts at offset 0 replaces the whole file; one that starts further in leaves what stands behind it; with
 * O_APPEND nothing is cut (image_packing_options_set_tail() says otherwise). Pipes and sockets are streamed; a
 * closed one is an error, never SIGPIPE.
 *
 * @return as image_packer_pack_to_data(), with 62980115 for bad arguments and descriptors.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file(ImagePacker *packer,
                                      const ImagePixelMap *pixelmap,
                                      int fd,
                                      const ImagePackingOptions *options);

/** As image_packer_pack_to_file() from an image source. The source may read the same descriptor. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_source(ImagePacker *packer,
                                                  const ImageSource *source,
                                                  int fd,
                                                  const ImagePackingOptions *options);

/**
 * Encodes a pixel map into the file of this name: other processes, and this one after a crash, see the old file or
 * the new one, never a mix.
 *
 * The image goes into a new file in the same folder, which then takes the old one's name; on failure the old file
 * is as it was. A symbolic link stays and its target is replaced; a second hard link keeps the old bytes; the old
 * file's mode, owner and group are kept as far as this process may. A process that is killed may leave a file named
 * `.image_packer-*.tmp`. A path that names a pipe, a terminal or a device is written to, not replaced;
 * a pipe that nobody has open for reading is an error, not waited for. To survive a loss of power as well, see
 * image_packing_options_set_sync().
 *
 * @param path  the system's own bytes for a name; need not be UTF-8 where the system does not demand it
 * @return as image_packer_pack_to_file().
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path(ImagePacker *packer,
                                      const ImagePixelMap *pixelmap,
                                      const char *path,
                                      const ImagePackingOptions *options);

/** As image_packer_pack_to_path() from an image source. The source may be the same file. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_source(ImagePacker *packer,
                                                  const ImageSource *source,
                                                  const char *path,
                                                  const ImagePackingOptions *options);

/**
 * Encodes a pixel map and passes bytes on as they are made.
 *
 * @param write  called on the calling thread, in order
 * @return as image_packer_pack_to_data(); 62980096 with cause WRITE when `write` stops.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer(ImagePacker *packer,
                                        const ImagePixelMap *pixelmap,
                                        ImageWriteFn write,
                                        void *user,
                                        const ImagePackingOptions *options);

/** As image_packer_pack_to_writer() from an image source. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_source(ImagePacker *packer,
                                                    const ImageSource *source,
                                                    ImageWriteFn write,
                                                    void *user,
                                                    const ImagePackingOptions *options);

/* ==== ImageSequenceOptions ================================================================================ */

/**
 * What to make of a sequence of frames. A pack reads the options once, at its start. All lists are copied.
 *
 * A list that is shorter than the sequence has its last value for all further frames, so that one value is for every
 * frame; a longer one is cut.
 */
typedef struct ImageSequenceOptions ImageSequenceOptions;

/**
 * Options for a format, everything else at its default.
 *
 * @param format       MIME type of an animated format in any case: "image/gif", "image/apng" (or "image/png"),
 *                     "image/webp"; "image/avif" and "image/heic" with libheif 1.21 or newer
 * @param frame_count  frames of the animation. Fewer than there are: the first ones. More: the last one again, up to
 *                     10000 frames in all. 0: as many as there are, for image_sequence_begin() and for image sources
 *                     alone
 * @param[out] options  new handle
 * @return 62980113 for a format this machine cannot write; 401 with cause UNSUPPORTED for one without animations.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_sequence_options_create(const char *format,
                                          uint32_t frame_count,
                                          ImageSequenceOptions **options);

/**
 * Time on screen of each frame, in units of 10 ms, 1 to 65535. Default: 10 for pixel maps; an image source's own.
 *
 * @return 401 for NULL, an empty list, or any value out of range; the options are as they were then.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_delay_times(ImageSequenceOptions *options,
                                                   const int32_t *delays,
                                                   size_t count);

/**
 * What happens to each frame's part of the canvas before the next frame is drawn: 0 unspecified (it stays), 1 it stays,
 * 2 it becomes transparent, 3 what was there before comes back. NULL and 0 are the default: 1.
 *
 * GIF carries these numbers. Animations of other formats look the same, whatever they carry. An image source always looks
 * as it did: its own numbers are carried unless others are set.
 *
 * @return 401 for NULL with a count, or any value above 3; the options are as they were then.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_disposal_types(ImageSequenceOptions *options,
                                                      const uint32_t *types,
                                                      size_t count);

/**
 * Left and top edge of each frame on the canvas, in pixels: x0, y0, x1, y1 ... NULL and 0 are the default: 0, 0.
 *
 * @param frames  pairs at `offsets`
 * @return 401 for NULL with a count.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_offsets(ImageSequenceOptions *options,
                                               const uint32_t *offsets,
                                               size_t frames);

/**
 * Size of the canvas in pixels; a frame that passes it is an error. 0 and 0 are the default: the smallest that holds
 * every frame; for image_sequence_begin() the first frame.
 *
 * @return 401 if one side is 0 and the other is not.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_canvas(ImageSequenceOptions *options,
                                              uint32_t width,
                                              uint32_t height);

/**
 * How often the animation is shown, 0 to 65535; 0 is for ever. Default: 1 for pixel maps; an image source's own.
 *
 * @return 401 above 65535.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_loop_count(ImageSequenceOptions *options,
                                                  uint32_t loops);

/** 0 (smallest) to 100 (best). Default: 80. */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_quality(ImageSequenceOptions *options,
                                               int32_t quality);

/** 1 (fastest) to 10 (smallest). Default: 5. */
IMAGE_PACKER_API ImageStatus image_sequence_options_set_effort(ImageSequenceOptions *options, int32_t effort);

/** Exact pixels or an error. Default: false. */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_lossless(ImageSequenceOptions *options,
                                                bool lossless);

/** How the colours that a GIF's palette lacks are mixed from those that it has. */
typedef int32_t ImageDithering;

/** By error diffusion. */
#define IMAGE_DITHERING_DIFFUSION 0
/** By an ordered pattern, which never moves from frame to frame. */
#define IMAGE_DITHERING_ORDERED 1
/** Not at all: the nearest colour. */
#define IMAGE_DITHERING_NONE 2

/**
 * How colours are mixed where the format has a palette: GIF. The others show every colour. Default:
 * IMAGE_DITHERING_DIFFUSION. The same as the setting "gif.dither".
 *
 * @return 401 for an unknown number.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_dithering(ImageSequenceOptions *options,
                                                 ImageDithering dithering);

/**
 * Whether EXIF and XMP of an image source are written, where the format carries them: GIF has XMP alone, the others both.
 * Default: false. As image_packing_options_set_needs_pack_properties(); image_sequence_options_set_metadata() goes before
 * it.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_needs_pack_properties(ImageSequenceOptions *options,
                                                             bool needed);

/**
 * Whether the place where a source's image was taken is written with its metadata; if not, it is removed from EXIF and
 * XMP. Default: true.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_keep_gps(ImageSequenceOptions *options,
                                                bool keep);

/** What happens to the bytes of an old file behind the animation: as image_packing_options_set_tail(). */
IMAGE_PACKER_API ImageStatus image_sequence_options_set_tail(ImageSequenceOptions *options, ImageTail tail);

/** Whether packing into a file or a path returns only when the storage says that it has the bytes. Default: false. */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_sync(ImageSequenceOptions *options,
                                            bool sync);

/** As image_packing_options_set(): a setting of one codec. */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set(ImageSequenceOptions *options,
                                       const char *name,
                                       const char *value);

/** As image_packing_options_set_progress(): called at least once per frame when the number of frames is known. */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_progress(ImageSequenceOptions *options,
                                                ImageProgressFn progress,
                                                void *user);

/**
 * Most time in milliseconds, as image_packing_options_set_timeout(); of an ImageSequence from its beginning to its end.
 * Default, and 0: no limit.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_timeout(ImageSequenceOptions *options,
                                               uint32_t timeout_ms);

/**
 * Where every pack that succeeds leaves its report, as image_packing_options_set_report(). NULL, the default, is
 * nowhere.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_report(ImageSequenceOptions *options,
                                              ImageReport *report);

/** Releases the options. Packs that started with them go on. */
IMAGE_PACKER_API ImageStatus image_sequence_options_release(ImageSequenceOptions *options);

/* ==== ImageJob ============================================================================================ */

/**
 * A pack that runs on the library's threads.
 *
 * Arguments are checked before the submitting call returns: a call that fails starts nothing and calls nothing back.
 * Handles passed to a job may be released at once, and what they stand for may be changed: the job goes on with what
 * it was given. `done` may be NULL; so may `job`, when nobody waits or cancels. A job that packs into memory needs one of
 * them. `done` may be called before the submitting call has returned.
 *
 * The jobs of a packer start in the order of their submission, on at most as many threads as the packer has. Threads end
 * when they have had nothing to do for a tenth of a second. Before the library is unloaded, wait for the jobs, then
 * release their packers. In a child made by fork(), packers work as before, and the parent's jobs answer 401 with cause
 * UNSUPPORTED; they end in the parent alone.
 */
typedef struct ImageJob ImageJob;

/**
 * The end of a job: called exactly once, on a worker thread, whose last error is the job's. On IMAGE_OK `data` is yours
 * to release; otherwise, and for jobs that write elsewhere, it is NULL.
 */
typedef void (*ImageDoneFn)(void *user, ImageStatus status, ImageData *data);

/**
 * As image_packer_pack_to_data() on the library's threads.
 *
 * @param done  called at the end, with the image; may be NULL
 * @param[out] job  new handle; may be NULL
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_async(ImagePacker *packer,
                                            const ImagePixelMap *pixelmap,
                                            const ImagePackingOptions *options,
                                            ImageDoneFn done,
                                            void *user,
                                            ImageJob **job);

/** As image_packer_pack_to_data_async() from an image source. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_source_async(ImagePacker *packer,
                                                        const ImageSource *source,
                                                        const ImagePackingOptions *options,
                                                        ImageDoneFn done,
                                                        void *user,
                                                        ImageJob **job);

/**
 * As image_packer_pack_to_file() on the library's threads. The descriptor is duplicated: `fd` may be closed on return. The image
 * is written at the position that it has then.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_async(ImagePacker *packer,
                                            const ImagePixelMap *pixelmap,
                                            int fd,
                                            const ImagePackingOptions *options,
                                            ImageDoneFn done,
                                            void *user,
                                            ImageJob **job);

/** As image_packer_pack_to_file_async() from an image source. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_source_async(ImagePacker *packer,
                                                        const ImageSource *source,
                                                        int fd,
                                                        const ImagePackingOptions *options,
                                                        ImageDoneFn done,
                                                        void *user,
                                                        ImageJob **job);

/** As image_packer_pack_to_path() on the library's threads. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_async(ImagePacker *packer,
                                            const ImagePixelMap *pixelmap,
                                            const char *path,
                                            const ImagePackingOptions *options,
                                            ImageDoneFn done,
                                            void *user,
                                            ImageJob **job);

/** As image_packer_pack_to_path_async() from an image source. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_source_async(ImagePacker *packer,
                                                        const ImageSource *source,
                                                        const char *path,
                                                        const ImagePackingOptions *options,
                                                        ImageDoneFn done,
                                                        void *user,
                                                        ImageJob **job);

/** As image_packer_pack_to_writer() on the library's threads. `write` and `done` are called on a worker. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_async(ImagePacker *packer,
                                              const ImagePixelMap *pixelmap,
                                              ImageWriteFn write,
                                              void *write_user,
                                              const ImagePackingOptions *options,
                                              ImageDoneFn done,
                                              void *user,
                                              ImageJob **job);

/** As image_packer_pack_to_writer_async() from an image source. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_source_async(ImagePacker *packer,
                                                          const ImageSource *source,
                                                          ImageWriteFn write,
                                                          void *write_user,
                                                          const ImagePackingOptions *options,
                                                          ImageDoneFn done,
                                                          void *user,
                                                          ImageJob **job);

/**
 * Waits until the job has ended and its `done` has returned; answers the job's status, and makes its message this
 * thread's last error.
 *
 * @param timeout_ms  0 asks without waiting; negative waits for ever
 * @return 1002 when the time is over and the job goes on; 401 inside a callback of a job, or one that
 *         reads a source, that would have to wait.
 */
IMAGE_PACKER_API
ImageStatus image_job_wait(const ImageJob *job,
                           int64_t timeout_ms);

/**
 * Takes the image of a job that had no `done`.
 *
 * @param[out] data  the encoded image; release with image_data_release()
 * @return 1002 before the end of the job; the job's status if it failed; 401 when there is nothing, or nothing any more.
 */
IMAGE_PACKER_API
ImageStatus image_job_take_data(ImageJob *job,
                                ImageData **data);

/** How much of the job is done, of 1000. Never decreases; 1000 means that the image is whole. */
IMAGE_PACKER_API ImageStatus image_job_get_progress(const ImageJob *job, uint32_t *done);

/** Asks the job to stop soon. It still ends once, with 1001 unless it was done. */
IMAGE_PACKER_API ImageStatus image_job_cancel(ImageJob *job);

/** Forgets the job; does not stop it. */
IMAGE_PACKER_API ImageStatus image_job_release(ImageJob *job);

/* ==== Sequences =========================================================================================== */

/**
 * Encodes frames into one animated image in memory.
 *
 * Frames may be of any pixel format and size. Each is drawn on the canvas at its offset: where it has alpha, what was
 * there before shines through; then it is disposed of as image_sequence_options_set_disposal_types() says. The colour
 * profile of the first frame is the animation's.
 *
 * @param frames       pixel maps; only those that the options' frame count uses are looked at
 * @param frame_count  pixel maps at `frames`, at least 1
 * @param[out] data    the encoded animation; release with image_data_release()
 * @return IMAGE_OK; 401 for a bad or released handle, no frames, a frame count of 0 in the options, or options that
 *         contradict each other; 1001 when the progress callback stops it; 7800301 for the rest, with a cause that says
 *         why: FRAME_COUNT for more than 10000 frames by repetition, LIMIT for frames that are too large.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_sequence(ImagePacker *packer,
                                                    ImagePixelMap *const *frames,
                                                    size_t frame_count,
                                                    const ImageSequenceOptions *options,
                                                    ImageData **data);

/**
 * As image_packer_pack_to_data_from_sequence(), into a file descriptor as image_packer_pack_to_file() does; bad
 * descriptors are 401.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_sequence(ImagePacker *packer,
                                                    ImagePixelMap *const *frames,
                                                    size_t frame_count,
                                                    int fd,
                                                    const ImageSequenceOptions *options);

/** As image_packer_pack_to_data_from_sequence(), into the file of this name as image_packer_pack_to_path() does. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_sequence(ImagePacker *packer,
                                                    ImagePixelMap *const *frames,
                                                    size_t frame_count,
                                                    const char *path,
                                                    const ImageSequenceOptions *options);

/**
 * As image_packer_pack_to_data_from_sequence(), to a writer: GIF passes bytes on frame by frame, the other formats, whose
 * headers tell of what follows, at the end.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_sequence(ImagePacker *packer,
                                                      ImagePixelMap *const *frames,
                                                      size_t frame_count,
                                                      ImageWriteFn write,
                                                      void *user,
                                                      const ImageSequenceOptions *options);

/**
 * Re-encodes all frames of an image source, one at a time: an animation as it looks, with its delays, disposal types
 * and loop count where the options set none. An image without animation is one frame, or one per image in the file.
 *
 * @return as image_packer_pack_to_data_from_sequence(); 7800301 with cause BAD_DATA for damaged data, and 401 with cause
 *         UNSUPPORTED for a canvas other than the source's.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_source_sequence(ImagePacker *packer,
                                                           const ImageSource *source,
                                                           const ImageSequenceOptions *options,
                                                           ImageData **data);

/** As image_packer_pack_to_data_from_source_sequence(), into a file descriptor. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_source_sequence(ImagePacker *packer,
                                                           const ImageSource *source,
                                                           int fd,
                                                           const ImageSequenceOptions *options);

/** As image_packer_pack_to_data_from_source_sequence(), into the file of this name. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_source_sequence(ImagePacker *packer,
                                                           const ImageSource *source,
                                                           const char *path,
                                                           const ImageSequenceOptions *options);

/** As image_packer_pack_to_data_from_source_sequence(), to a writer. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_source_sequence(ImagePacker *packer,
                                                             const ImageSource *source,
                                                             ImageWriteFn write,
                                                             void *user,
                                                             const ImageSequenceOptions *options);

/**
 * As image_packer_pack_to_data_from_sequence() on the library's threads. The array may be freed on return, the frames
 * released or written to.
 *
 * @param done  called at the end, with the animation; may be NULL
 * @param[out] job  new handle; may be NULL
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_sequence_async(ImagePacker *packer,
                                                          ImagePixelMap *const *frames,
                                                          size_t frame_count,
                                                          const ImageSequenceOptions *options,
                                                          ImageDoneFn done,
                                                          void *user,
                                                          ImageJob **job);

/**
 * As image_packer_pack_to_file_from_sequence() on the library's threads. The descriptor is duplicated: `fd` may be closed
 * on return.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_sequence_async(ImagePacker *packer,
                                                          ImagePixelMap *const *frames,
                                                          size_t frame_count,
                                                          int fd,
                                                          const ImageSequenceOptions *options,
                                                          ImageDoneFn done,
                                                          void *user,
                                                          ImageJob **job);

/** As image_packer_pack_to_path_from_sequence() on the library's threads. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_sequence_async(ImagePacker *packer,
                                                          ImagePixelMap *const *frames,
                                                          size_t frame_count,
                                                          const char *path,
                                                          const ImageSequenceOptions *options,
                                                          ImageDoneFn done,
                                                          void *user,
                                                          ImageJob **job);

/** As image_packer_pack_to_writer_from_sequence() on the library's threads. `write` and `done` are called on a worker. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_sequence_async(ImagePacker *packer,
                                                            ImagePixelMap *const *frames,
                                                            size_t frame_count,
                                                            ImageWriteFn write,
                                                            void *write_user,
                                                            const ImageSequenceOptions *options,
                                                            ImageDoneFn done,
                                                            void *user,
                                                            ImageJob **job);

/** As image_packer_pack_to_data_from_source_sequence() on the library's threads. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_source_sequence_async(ImagePacker *packer,
                                                                 const ImageSource *source,
                                                                 const ImageSequenceOptions *options,
                                                                 ImageDoneFn done,
                                                                 void *user,
                                                                 ImageJob **job);

/** As image_packer_pack_to_file_from_source_sequence() on the library's threads. The descriptor is duplicated. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_source_sequence_async(ImagePacker *packer,
                                                                 const ImageSource *source,
                                                                 int fd,
                                                                 const ImageSequenceOptions *options,
                                                                 ImageDoneFn done,
                                                                 void *user,
                                                                 ImageJob **job);

/** As image_packer_pack_to_path_from_source_sequence() on the library's threads. */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_source_sequence_async(ImagePacker *packer,
                                                                 const ImageSource *source,
                                                                 const char *path,
                                                                 const ImageSequenceOptions *options,
                                                                 ImageDoneFn done,
                                                                 void *user,
                                                                 ImageJob **job);

/**
 * As image_packer_pack_to_writer_from_source_sequence() on the library's threads. `write` and `done` are called on a
 * worker.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_source_sequence_async(ImagePacker *packer,
                                                                   const ImageSource *source,
                                                                   ImageWriteFn write,
                                                                   void *write_user,
                                                                   const ImageSequenceOptions *options,
                                                                   ImageDoneFn done,
                                                                   void *user,
                                                                   ImageJob **job);

/* ==== ImageSequence ======================================================================================= */

/**
 * An animated image that takes its frames one at a time, so that nobody has to hold them all: a few canvases and the
 * encoded bytes are all that is in memory.
 *
 * One call at a time; a second one meanwhile answers 401, but for image_sequence_cancel() and the release. These calls have
 * no asynchronous form: frames that are made one by one come from a thread of the host's, which makes the next one when
 * this one is taken. A timeout in the options counts from the beginning of the sequence.
 */
typedef struct ImageSequence ImageSequence;

/**
 * Begins an animation in memory.
 *
 * @param[out] sequence  new handle
 * @return 401 for a bad handle.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_begin(ImagePacker *packer,
                                 const ImageSequenceOptions *options,
                                 ImageSequence **sequence);

/**
 * Begins an animation in a file descriptor, which is duplicated: the caller may close `fd` on return. It is written at
 * the end, as image_packer_pack_to_file() does.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_begin_to_file(ImagePacker *packer,
                                         int fd,
                                         const ImageSequenceOptions *options,
                                         ImageSequence **sequence);

/** Begins an animation in the file of this name, which is written at the end, as image_packer_pack_to_path() does. */
IMAGE_PACKER_API
ImageStatus image_sequence_begin_to_path(ImagePacker *packer,
                                         const char *path,
                                         const ImageSequenceOptions *options,
                                         ImageSequence **sequence);

/**
 * Begins an animation that goes to a writer. GIF passes bytes on frame by frame; the other formats, whose headers tell of
 * what follows, at the end: until then they are kept compressed.
 *
 * @param write  called on the thread of the call that adds a frame or finishes
 * @param user   handed to `write`; has to stay valid until the sequence is finished or released
 */
IMAGE_PACKER_API
ImageStatus image_sequence_begin_to_writer(ImagePacker *packer,
                                           ImageWriteFn write,
                                           void *user,
                                           const ImageSequenceOptions *options,
                                           ImageSequence **sequence);

/**
 * Adds a frame at the offset that the options say.
 *
 * @param delay     time on screen in units of 10 ms, 1 to 65535; 0: as the options say
 * @param disposal  0 to 3 as in image_sequence_options_set_disposal_types(); -1: as the options say
 * @return 401 for a bad handle, a delay or a disposal out of range, and a frame that passes the canvas; 7800301 with cause
 *         FRAME_COUNT for more frames than the options announce; else as image_packer_pack_to_data_from_sequence(). After
 *         a failed encode the sequence takes no more frames; a bad argument changes nothing.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_add_frame(ImageSequence *sequence,
                                     const ImagePixelMap *pixelmap,
                                     int32_t delay,
                                     int32_t disposal);

/**
 * As image_sequence_add_frame(), at this place of the canvas.
 *
 * @param x  left edge of the frame in pixels
 * @param y  top edge of the frame in pixels
 */
IMAGE_PACKER_API
ImageStatus image_sequence_add_frame_at(ImageSequence *sequence,
                                        const ImagePixelMap *pixelmap,
                                        uint32_t x,
                                        uint32_t y,
                                        int32_t delay,
                                        int32_t disposal);

/**
 * Ends the animation and delivers it. The handle is still to be released.
 *
 * @param[out] data  the encoded animation of image_sequence_begin(); NULL is stored, and may be passed, for the others
 * @return 7800301 with cause FRAME_COUNT for no frames, or fewer than the options announce.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_finish(ImageSequence *sequence,
                                  ImageData **data);

/**
 * Stops the call of this sequence that is in progress on another thread, soon, and every later one: they answer 1001, and
 * nothing is delivered.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_cancel(ImageSequence *sequence);

/** Releases the sequence. One that is not finished is dropped: no file is changed, and a writer gets no more bytes. */
IMAGE_PACKER_API
ImageStatus image_sequence_release(ImageSequence *sequence);

/* ==== ImageBatch ========================================================================================== */

/**
 * Many packs as one, on the library's threads: the fast way to encode many images.
 *
 * Images are numbered in the order in which they are added; each has its own size, options and format. They are
 * independent: one that fails does not stop the others. The bytes of an image depend on its pixels and options alone,
 * never on threads or on other images. A batch is made, filled, told where its images go, and started once; handles that
 * were added may be released at once.
 *
 * What was said of ImageJob about threads, memory, unloading and fork() holds here too. Progress callbacks of options are
 * not called for images of batches; a timeout of options counts from the start of each image.
 */
typedef struct ImageBatch ImageBatch;

/**
 * The end of image `index` of a batch, in order of completion; on worker threads, several at once. On IMAGE_OK `data` is
 * yours to release where images go into memory each for itself; otherwise it is NULL. The thread's last error is the
 * image's; its status, size, time and report can be asked for from then on.
 */
typedef void (*ImageItemFn)(void *user, size_t index, ImageStatus status, ImageData *data);

/** What happens when images of a batch would have the same file name. */
typedef int32_t ImageSameName;

/** The first one gets it, each of the others is an error. */
#define IMAGE_SAME_NAME_ERROR 0
/** The others get "_1", "_2" and so on behind their stem. */
#define IMAGE_SAME_NAME_NUMBER 1
/** The last one gets it; the others are not written and count as done, with 0 bytes. */
#define IMAGE_SAME_NAME_LAST_WINS 2

/**
 * An empty batch, whose images go into memory each for itself.
 *
 * @param[out] batch  new handle
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD ImageStatus image_batch_create(ImagePacker *packer, ImageBatch **batch);

/**
 * Adds a pixel map.
 *
 * @return 401 also for a batch that has been started.
 */
IMAGE_PACKER_API
ImageStatus image_batch_add_pixelmap(ImageBatch *batch,
                                     const ImagePixelMap *pixelmap,
                                     const ImagePackingOptions *options);

/** Adds an image source. */
IMAGE_PACKER_API
ImageStatus image_batch_add_source(ImageBatch *batch,
                                   const ImageSource *source,
                                   const ImagePackingOptions *options);

/**
 * Adds all images of a tensor, in their order. What is in a device's memory becomes the batch's when the tensor's stream
 * has done what it has been given up to now; see image_tensor_set_stream().
 *
 * @return 62980096, and nothing is added, when the device does not answer.
 */
IMAGE_PACKER_API
ImageStatus image_batch_add_tensor(ImageBatch *batch,
                                   const ImageTensor *tensor,
                                   const ImagePackingOptions *options);

/**
 * Lets the images go into one piece of memory, one behind the other in their order; one that fails takes no bytes. See
 * image_batch_take_arena().
 */
IMAGE_PACKER_API
ImageStatus image_batch_to_arena(ImageBatch *batch);

/**
 * Lets the images go into descriptors, as image_packer_pack_to_file() does. Descriptors are duplicated: they may be closed
 * on return. One that cannot be written to is an error of its image.
 *
 * @param fds    one for each image
 * @param count  as many as there will be images
 */
IMAGE_PACKER_API
ImageStatus image_batch_to_files(ImageBatch *batch,
                                 const int *fds,
                                 size_t count);

/**
 * Lets the images go into files of a folder. Each is written as image_packer_pack_to_path() does: as a whole or not at
 * all. `names[i]` is the name of what image i was made of; its file is "out_" + stem + "." + the format's extension, where
 * the stem is what Python's os.path.splitext(os.path.basename(name))[0] answers. image_batch_set_names() changes the rule.
 *
 * @param folder  must exist when the batch starts
 * @param names   one for each image
 * @param count   as many as there will be images
 * @param same    what happens to images of the same name
 */
IMAGE_PACKER_API
ImageStatus image_batch_to_folder(ImageBatch *batch,
                                  const char *folder,
                                  const char *const *names,
                                  size_t count,
                                  ImageSameName same);

/**
 * How file names of image_batch_to_folder() are made: prefix + stem + suffix + "." + extension.
 *
 * @param prefix     NULL: "out_"
 * @param suffix     NULL: ""
 * @param extension  without its dot; NULL: the format's ("jpg", "png", "webp", ...). It does not choose the format
 * @return 401 for a part with a '/', and before image_batch_to_folder().
 */
IMAGE_PACKER_API
ImageStatus image_batch_set_names(ImageBatch *batch,
                                  const char *prefix,
                                  const char *suffix,
                                  const char *extension);

/**
 * Starts the batch. Calls `item` once for each image, then `done` with what image_batch_wait() will answer; both may be
 * NULL, and may be called before this returns.
 *
 * @return 401 for a batch without images, one that has been started, and a number of descriptors or names that is not the
 *         number of images; 62980096 for a folder that is not there.
 */
IMAGE_PACKER_API
ImageStatus image_batch_start(ImageBatch *batch,
                              ImageItemFn item,
                              ImageDoneFn done,
                              void *user);

/**
 * Waits until all images have ended and `done` has returned.
 *
 * @param timeout_ms  0 asks without waiting; negative waits for ever
 * @return IMAGE_OK if all succeeded, else the status of the first by number that failed; 1002 when the time is over and
 *         the batch goes on; 401 inside a callback that would have to wait, of a job or of a source.
 */
IMAGE_PACKER_API
ImageStatus image_batch_wait(const ImageBatch *batch,
                             int64_t timeout_ms);

/** Asks all images that have not ended to stop soon. They end with 1001. */
IMAGE_PACKER_API ImageStatus image_batch_cancel(ImageBatch *batch);

/**
 * How far the batch is. Each place may be NULL.
 *
 * @param[out] ended   images that have ended, however they did
 * @param[out] failed  those of them that failed
 * @param[out] count   all images
 */
IMAGE_PACKER_API
ImageStatus image_batch_get_progress(const ImageBatch *batch,
                                     size_t *ended,
                                     size_t *failed,
                                     size_t *count);

/**
 * How an image ended: makes its message this thread's last error.
 *
 * @return the image's status; 1002 before its end; 401 for a number that the batch does not have.
 */
IMAGE_PACKER_API ImageStatus image_batch_get_status(const ImageBatch *batch, size_t index);

/** Encoded bytes of an image that has ended well, else 0. */
IMAGE_PACKER_API uint64_t image_batch_get_size(const ImageBatch *batch, size_t index);

/** Nanoseconds that an image was worked on, without the time in the queue; 0 before its end. */
IMAGE_PACKER_API uint64_t image_batch_get_time(const ImageBatch *batch, size_t index);

/**
 * What became of an image that has ended well: fills `report`, as packs with options that name it do.
 *
 * @return 1002 before the image's end; its status if it failed.
 */
IMAGE_PACKER_API
ImageStatus image_batch_get_report(const ImageBatch *batch,
                                   size_t index,
                                   ImageReport *report);

/**
 * Takes an image that went into memory for itself and to no callback, at any time after its end.
 *
 * @param[out] data  the encoded image; release with image_data_release()
 * @return 1002 before its end; its status if it failed; 401 when there is nothing, or nothing any more.
 */
IMAGE_PACKER_API ImageStatus image_batch_take_data(ImageBatch *batch, size_t index, ImageData **data);

/**
 * Takes the one piece of memory of image_batch_to_arena() when all images have ended, inside `done` at the earliest.
 * Image i is the bytes from offset i to offset i + 1: the buffers of an Arrow LargeBinary array.
 *
 * @param[out] bytes    all images; release with image_data_release()
 * @param[out] offsets  one int64_t more than there are images, in the byte order of the machine, aligned to 8 bytes
 * @return 1002 before the end; 401 when they were taken, or were to go elsewhere.
 */
IMAGE_PACKER_API
ImageStatus image_batch_take_arena(ImageBatch *batch,
                                   ImageData **bytes,
                                   ImageData **offsets);

/** Forgets the batch; does not stop it. */
IMAGE_PACKER_API ImageStatus image_batch_release(ImageBatch *batch);

/* ==== Batches in one call ================================================================================= */

/**
 * Encodes `count` pixel maps on the library's threads and waits.
 *
 * @param[out] data      `count` handles, NULL where an image failed
 * @param[out] statuses  `count` results; may be NULL
 * @return IMAGE_OK if all succeeded, else the status of the first that failed: `data` and `statuses` are written either
 *         way, unless an argument is bad.
 */
IMAGE_PACKER_API
ImageStatus image_packer_pack_batch_to_data(ImagePacker *packer,
                                            ImagePixelMap *const *pixelmaps,
                                            size_t count,
                                            const ImagePackingOptions *options,
                                            ImageData **data,
                                            ImageStatus *statuses);

/** As image_packer_pack_batch_to_data(), image i into `fds[i]` as image_packer_pack_to_file() does. */
IMAGE_PACKER_API
ImageStatus image_packer_pack_batch_to_files(ImagePacker *packer,
                                             ImagePixelMap *const *pixelmaps,
                                             size_t count,
                                             const int *fds,
                                             const ImagePackingOptions *options,
                                             ImageStatus *statuses);

/**
 * Starts a batch of `count` pixel maps that go into memory each for itself. Calls `item` once for each, then `done`.
 *
 * @param[out] batch  new handle; may be NULL if `item` is not
 */
IMAGE_PACKER_API
ImageStatus image_packer_pack_batch_to_data_async(ImagePacker *packer,
                                                  ImagePixelMap *const *pixelmaps,
                                                  size_t count,
                                                  const ImagePackingOptions *options,
                                                  ImageItemFn item,
                                                  ImageDoneFn done,
                                                  void *user,
                                                  ImageBatch **batch);

/* ==== ImagePicture ======================================================================================== */

/**
 * A main image with what belongs to it: gain map, depth, metadata.
 *
 * It shares its pixel maps with their handles: what is written to them later is what is packed.
 */
typedef struct ImagePicture ImagePicture;

/** What an auxiliary image is for. */
typedef int32_t ImageAuxiliaryType;

/** How the main image of one dynamic range becomes one of another (ISO 21496-1). */
#define IMAGE_AUXILIARY_GAIN_MAP 1
/** Distance from the camera. */
#define IMAGE_AUXILIARY_DEPTH_MAP 2
/** The image before its background was blurred. */
#define IMAGE_AUXILIARY_UNREFOCUS_MAP 3
/** Linear light. */
#define IMAGE_AUXILIARY_LINEAR_MAP 4
/** A part of the image, as stickers and watermarks keep it. */
#define IMAGE_AUXILIARY_FRAGMENT_MAP 5

/**
 * A picture of nothing but its main image.
 *
 * @param[out] picture  new handle
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD ImageStatus image_picture_create(const ImagePixelMap *main, ImagePicture **picture);

/**
 * Decodes the first frame of a source, upright, with its auxiliary images and its metadata. EXIF's orientation is that
 * of the pixels now.
 *
 * @param[out] picture  new handle
 * @return as image_source_create_pixelmap()
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_source_create_picture(const ImageSource *source,
                                        ImagePicture **picture);

/** A new handle for the main image; NULL if the picture is of metadata alone. */
IMAGE_PACKER_API ImageStatus image_picture_get_main(const ImagePicture *picture, ImagePixelMap **pixelmap);

/**
 * Sets, replaces or, with NULL, removes an auxiliary image. A gain map also needs
 * image_picture_set_gain_map_params().
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_auxiliary(ImagePicture *picture,
                                        ImageAuxiliaryType auxiliary,
                                        const ImagePixelMap *pixelmap);

/** A new handle for an auxiliary image; NULL if the picture has none of this type. */
IMAGE_PACKER_API
ImageStatus image_picture_get_auxiliary(const ImagePicture *picture,
                                        ImageAuxiliaryType auxiliary,
                                        ImagePixelMap **pixelmap);

/**
 * Sets, replaces or, with NULL, removes the HDR rendition of the main image, which then is SDR: the two show the same
 * scene in the same size. A gain map that makes the one of the other is computed when the picture is packed, with one
 * channel where that is exact and else with three; where `hdr.form` is `signal`, formats that hold HDR get the
 * rendition itself, and formats without HDR the main image.
 *
 * The rendition is of any format whose code points name PQ, HLG or, for floats, linear light. Packing answers 401 for
 * another size or none of these, for a main image that is HDR itself, and for a picture that has a gain map too.
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_hdr_rendition(ImagePicture *picture,
                                            const ImagePixelMap *pixelmap);

/** A new handle for the HDR rendition that was set; NULL if there is none. */
IMAGE_PACKER_API
ImageStatus image_picture_get_hdr_rendition(const ImagePicture *picture,
                                            ImagePixelMap **pixelmap);

/**
 * The main image with the gain map applied, as a display shows it whose peak is `headroom` stops above diffuse white
 * (log2): 0 is SDR, 2 four times as bright; from the map's own headroom on, and with INFINITY, it is applied in full.
 *
 * RGBA_F16 and RGBA_F32 are linear light in which 1.0 is diffuse white, 203 nits; RGBA_1010102, RGB_161616 and
 * RGBA_16161616 are PQ. All are in BT.2020's primaries, and their code points say so. Large images are made on all
 * cores that the process may use, by threads that are gone when the call returns.
 *
 * @param[out] pixelmap  new handle
 * @return 401 for a picture without a gain map, for another format, and for a headroom below 0; 62980172 for a main
 *         image whose ICC profile is not of primaries and curves.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_picture_create_hdr_pixelmap(const ImagePicture *picture,
                                              ImagePixelFormat format,
                                              float headroom,
                                              ImagePixelMap **pixelmap);

/**
 * How the gain map brightens the main image (ISO 21496-1). Each array holds one value per channel: R, G, B; all
 * alike for a gray map. Headrooms and gains are log2, 0 to 64 and -64 to 64; gamma is above 0 and at most 64; offsets are
 * parts of SDR white, -64 to 64.
 *
 * @param base_headroom       of the main image; 0 for SDR
 * @param alternate_headroom  of the image with the map applied in full
 * @param use_base_color      whether the gain is applied in the main image's primaries: true but for maps that were
 *                            made otherwise
 * @return 401 for values that no reader could apply: minimum above maximum, gamma not above 0, equal headrooms.
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_gain_map_params(ImagePicture *picture,
                                              float base_headroom,
                                              float alternate_headroom,
                                              const float *gain_min,
                                              const float *gain_max,
                                              const float *gamma,
                                              const float *base_offset,
                                              const float *alternate_offset,
                                              bool use_base_color);

/**
 * The values of image_picture_set_gain_map_params(). Every place may be NULL; arrays have 3 values.
 *
 * @return 401 if there are none.
 */
IMAGE_PACKER_API
ImageStatus image_picture_get_gain_map_params(const ImagePicture *picture,
                                              float *base_headroom,
                                              float *alternate_headroom,
                                              float *gain_min,
                                              float *gain_max,
                                              float *gamma,
                                              float *base_offset,
                                              float *alternate_offset,
                                              bool *use_base_color);

/** Releases the picture. Packs that are using it go on. */
IMAGE_PACKER_API ImageStatus image_picture_release(ImagePicture *picture);

/* ==== Metadata ============================================================================================ */

/** Kinds of metadata. */
typedef int32_t ImageMetadataType;

/** EXIF from its TIFF header on ("II*" or "MM"), without "Exif\0\0". */
#define IMAGE_METADATA_EXIF 1
/** An XMP packet in UTF-8. */
#define IMAGE_METADATA_XMP 1000
/** IPTC as Photoshop's image resources hold it, from the first "8BIM" on. */
#define IMAGE_METADATA_IPTC 1001

/** A property of EXIF that is text. */
typedef int32_t ImageProperty;

/** Who made the camera. */
#define IMAGE_PROPERTY_MAKE 1
/** The camera. */
#define IMAGE_PROPERTY_MODEL 2
/** The program. */
#define IMAGE_PROPERTY_SOFTWARE 3
/** Who has the rights. */
#define IMAGE_PROPERTY_COPYRIGHT 4
/** When the image was taken, in local time: "2024:05:06 07:08:09". */
#define IMAGE_PROPERTY_DATE 5
/** When the file was changed, in the same form. */
#define IMAGE_PROPERTY_DATE_CHANGED 6

/**
 * The metadata of a source as it stands in the file, as a picture without pixels: to be looked at, changed, and put
 * back with image_packer_edit_metadata_to_data(). No pixel is decoded.
 *
 * @param[out] picture  new handle
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_source_create_metadata(const ImageSource *source,
                                         ImagePicture **picture);

/**
 * Sets, replaces or, with NULL and 0, removes a block of metadata; copied. It is written when the options ask for
 * properties.
 *
 * @return 401 for an unknown type, and for bytes that do not start as blocks of this type do.
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_metadata(ImagePicture *picture,
                                       ImageMetadataType kind,
                                       const void *block_bytes,
                                       size_t size);

/**
 * A copy of a block of metadata, to be released with image_data_release(); NULL if the picture has none of this
 * type.
 */
IMAGE_PACKER_API
ImageStatus image_picture_get_metadata(const ImagePicture *picture,
                                       ImageMetadataType kind,
                                       ImageData **data);

/**
 * Resolution in pixels per inch, written with or without other properties; image_packing_options_set_density() goes
 * before it. 0 and 0 remove it. Where EXIF says one, it changes too.
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_density(ImagePicture *picture,
                                      double x_dpi,
                                      double y_dpi);

/** Resolution in pixels per inch; 0 and 0 if it is unknown. */
IMAGE_PACKER_API
ImageStatus image_picture_get_density(const ImagePicture *picture,
                                      double *x_dpi,
                                      double *y_dpi);

/**
 * Sets a property in EXIF, which is made if there is none; NULL removes it.
 *
 * @return 401 for an unknown property, and for a date that is none or not of the form "2024:05:06 07:08:09".
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_property(ImagePicture *picture,
                                       ImageProperty property,
                                       const char *text);

/** A property of EXIF as text without a NUL, to be released with image_data_release(); NULL if there is none. */
IMAGE_PACKER_API
ImageStatus image_picture_get_property(const ImagePicture *picture,
                                       ImageProperty property,
                                       ImageData **data);

/**
 * How the pixels are stored, 1 to 8 as in EXIF: 1 upright, 3 half a turn, 6 to be turned a quarter clockwise, 8
 * counterclockwise; 2, 4, 5, 7 mirrored. Kept with and without other properties: as a tag in JPEG, by the file's
 * structure in HEIC and AVIF, by turning the pixels elsewhere.
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_orientation(ImagePicture *picture,
                                          uint32_t orientation);

/** How the pixels are stored, 1 to 8; 1 where EXIF says nothing. */
IMAGE_PACKER_API
ImageStatus image_picture_get_orientation(const ImagePicture *picture,
                                          uint32_t *orientation);

/**
 * Where the image was taken: degrees north, degrees east, and metres above the sea or NaN. What was said of it before
 * is gone.
 *
 * @return 401 for a latitude outside of -90 to 90 or a longitude outside of -180 to 180.
 */
IMAGE_PACKER_API
ImageStatus image_picture_set_gps(ImagePicture *picture,
                                  double latitude,
                                  double longitude,
                                  double altitude);

/** Where the image was taken, as in image_picture_set_gps(); all are NaN if EXIF does not say. */
IMAGE_PACKER_API
ImageStatus image_picture_get_gps(const ImagePicture *picture,
                                  double *latitude,
                                  double *longitude,
                                  double *altitude);

/**
 * Whether the file of this picture had provenance data (C2PA). It is never written again, neither by a pack, whose report
 * says so, nor by image_packer_edit_metadata_to_data(): its signatures are of the old file.
 */
IMAGE_PACKER_API
ImageStatus image_picture_get_provenance(const ImagePicture *picture,
                                         bool *provenance);

/** Removes where the image was taken from EXIF and XMP: tags, values, and the bytes that held them. */
IMAGE_PACKER_API ImageStatus image_picture_remove_gps(ImagePicture *picture);

/**
 * Writes the file of a source with other metadata, without encoding anew: JPEG, PNG, WebP. The image's data and all
 * else stay byte for byte; provenance data (C2PA), whose signatures would be broken, is left out, and
 * image_picture_get_provenance() says whether there was some.
 *
 * @param picture  from image_source_create_metadata(), of this source or of another; a block that it lacks is removed, but
 *                 for what XMP says of a JPEG's further images: a gain map stays one
 * @param[out] data  the new file
 * @return 401 with cause UNSUPPORTED for a source of another format; 62980101 for a damaged one; 62980119 for EXIF that
 *         is too large for JPEG.
 */
IMAGE_PACKER_API
ImageStatus image_packer_edit_metadata_to_data(const ImageSource *source,
                                               const ImagePicture *picture,
                                               ImageData **data);

/**
 * As image_packer_edit_metadata_to_data() into a descriptor, with the promises of image_packer_pack_to_file(). The
 * source may read the same file.
 */
IMAGE_PACKER_API
ImageStatus image_packer_edit_metadata_to_file(const ImageSource *source,
                                               const ImagePicture *picture,
                                               int fd);

/**
 * As image_packer_edit_metadata_to_data() into a path, with the promises of image_packer_pack_to_path(). The source may
 * be the same file.
 */
IMAGE_PACKER_API
ImageStatus image_packer_edit_metadata_to_path(const ImageSource *source,
                                               const ImagePicture *picture,
                                               const char *path);

/**
 * The metadata of a picture as it is now, to be written whatever the frames come from, in the place of a source's own; NULL,
 * the default, for none. Frames are taken as they stand: an orientation in EXIF becomes 1.
 */
IMAGE_PACKER_API
ImageStatus image_sequence_options_set_metadata(ImageSequenceOptions *options,
                                                const ImagePicture *picture);

/* ==== Packing pictures ==================================================================================== */

/**
 * Encodes a picture into memory: its main image, and what of the rest the format carries.
 *
 * @return IMAGE_OK; 401 for bad arguments; 7800301 for every other failure, whose cause says more; 1001 when the
 *         progress callback stops it.
 */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_picture(ImagePacker *packer,
                                                   const ImagePicture *picture,
                                                   const ImagePackingOptions *options,
                                                   ImageData **data);

/** As image_packer_pack_to_file(), with the statuses of image_packer_pack_to_data_from_picture(). */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_picture(ImagePacker *packer,
                                                   const ImagePicture *picture,
                                                   int fd,
                                                   const ImagePackingOptions *options);

/** As image_packer_pack_to_path(), with the statuses of image_packer_pack_to_data_from_picture(). */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_picture(ImagePacker *packer,
                                                   const ImagePicture *picture,
                                                   const char *path,
                                                   const ImagePackingOptions *options);

/** As image_packer_pack_to_writer(), with the statuses of image_packer_pack_to_data_from_picture(). */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_picture(ImagePacker *packer,
                                                     const ImagePicture *picture,
                                                     ImageWriteFn write,
                                                     void *user,
                                                     const ImagePackingOptions *options);

/** As image_packer_pack_to_data_async(), with the statuses of image_packer_pack_to_data_from_picture(). */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_data_from_picture_async(ImagePacker *packer,
                                                         const ImagePicture *picture,
                                                         const ImagePackingOptions *options,
                                                         ImageDoneFn done,
                                                         void *user,
                                                         ImageJob **job);

/** As image_packer_pack_to_file_async(), with the statuses of image_packer_pack_to_data_from_picture(). */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_file_from_picture_async(ImagePacker *packer,
                                                         const ImagePicture *picture,
                                                         int fd,
                                                         const ImagePackingOptions *options,
                                                         ImageDoneFn done,
                                                         void *user,
                                                         ImageJob **job);

/** As image_packer_pack_to_path_async(), with the statuses of image_packer_pack_to_data_from_picture(). */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_path_from_picture_async(ImagePacker *packer,
                                                         const ImagePicture *picture,
                                                         const char *path,
                                                         const ImagePackingOptions *options,
                                                         ImageDoneFn done,
                                                         void *user,
                                                         ImageJob **job);

/** As image_packer_pack_to_writer_async(), with the statuses of image_packer_pack_to_data_from_picture(). */
IMAGE_PACKER_API IMAGE_PACKER_NODISCARD
ImageStatus image_packer_pack_to_writer_from_picture_async(ImagePacker *packer,
                                                           const ImagePicture *picture,
                                                           ImageWriteFn write,
                                                           void *write_user,
                                                           const ImagePackingOptions *options,
                                                           ImageDoneFn done,
                                                           void *user,
                                                           ImageJob **job);

/** Adds a picture to a batch. */
IMAGE_PACKER_API
ImageStatus image_batch_add_picture(ImageBatch *batch,
                                    const ImagePicture *picture,
                                    const ImagePackingOptions *options);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* IMAGE_PACKER_H */
