/* What the library writes, read by the system's libpng, libjpeg and libwebp and compared pixel by pixel: exactly where
 * the format is lossless, above a floor of PSNR where it is not. None of these decoders is linked into the library. */
#include "host.h"

#include <jpeglib.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <webp/decode.h>

/* Pixels as every comparison sees them: straight RGBA of 16 bits. */
typedef uint16_t Rgba[4];

static ImagePacker *packer;

/* --- what goes in: a layout's own bytes, and what its pixels mean ------------------------------------------------ */

static uint16_t two(const uint8_t *p) {
  uint16_t value;
  memcpy(&value, p, 2);
  return value;
}
static void set(Rgba out, unsigned r, unsigned g, unsigned b, unsigned a) {
  out[0] = (uint16_t)r, out[1] = (uint16_t)g, out[2] = (uint16_t)b, out[3] = (uint16_t)a;
}
static void rgb(const uint8_t *p, Rgba out) { set(out, p[0] * 257u, p[1] * 257u, p[2] * 257u, 65535); }
static void bgr(const uint8_t *p, Rgba out) { set(out, p[2] * 257u, p[1] * 257u, p[0] * 257u, 65535); }
static void rgba(const uint8_t *p, Rgba out) { set(out, p[0] * 257u, p[1] * 257u, p[2] * 257u, p[3] * 257u); }
static void bgra(const uint8_t *p, Rgba out) { set(out, p[2] * 257u, p[1] * 257u, p[0] * 257u, p[3] * 257u); }
static void argb(const uint8_t *p, Rgba out) { set(out, p[1] * 257u, p[2] * 257u, p[3] * 257u, p[0] * 257u); }
static void gray(const uint8_t *p, Rgba out) { set(out, p[0] * 257u, p[0] * 257u, p[0] * 257u, 65535); }
static void gray_alpha(const uint8_t *p, Rgba out) { set(out, p[0] * 257u, p[0] * 257u, p[0] * 257u, p[1] * 257u); }
static void gray16(const uint8_t *p, Rgba out) { set(out, two(p), two(p), two(p), 65535); }
static void rgb16(const uint8_t *p, Rgba out) { set(out, two(p), two(p + 2), two(p + 4), 65535); }
static void rgba16(const uint8_t *p, Rgba out) { set(out, two(p), two(p + 2), two(p + 4), two(p + 6)); }

static const struct layout {
  const char *name;
  int32_t format;
  size_t bytes; /* of a pixel */
  bool alpha, deep;
  void (*meaning)(const uint8_t *, Rgba);
} layouts[] = {
    {"RGB_888", IMAGE_PIXEL_FORMAT_RGB_888, 3, false, false, rgb},
    {"BGR_888", IMAGE_PIXEL_FORMAT_BGR_888, 3, false, false, bgr},
    {"RGBX_8888", IMAGE_PIXEL_FORMAT_RGBX_8888, 4, false, false, rgb},
    {"BGRX_8888", IMAGE_PIXEL_FORMAT_BGRX_8888, 4, false, false, bgr},
    {"RGBA_8888", IMAGE_PIXEL_FORMAT_RGBA_8888, 4, true, false, rgba},
    {"BGRA_8888", IMAGE_PIXEL_FORMAT_BGRA_8888, 4, true, false, bgra},
    {"ARGB_8888", IMAGE_PIXEL_FORMAT_ARGB_8888, 4, true, false, argb},
    {"GRAY_8", IMAGE_PIXEL_FORMAT_GRAY_8, 1, false, false, gray},
    {"GRAY_ALPHA_88", IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88, 2, true, false, gray_alpha},
    {"GRAY_16", IMAGE_PIXEL_FORMAT_GRAY_16, 2, false, true, gray16},
    {"RGB_161616", IMAGE_PIXEL_FORMAT_RGB_161616, 6, false, true, rgb16},
    {"RGBA_16161616", IMAGE_PIXEL_FORMAT_RGBA_16161616, 8, true, true, rgba16},
};

/* What the bytes are: each asks something else of palettes, reductions, filters and matches. */
enum content { NOISE, SMOOTH, FEW_COLOURS, BLACK_AND_WHITE, FLAT, CONTENTS };
static const char *const content_names[] = {"noise", "smooth", "few colours", "black and white", "flat"};

static uint32_t dice = 1;
static uint32_t roll(void) { return (dice = dice * 1664525u + 1013904223u) >> 8; }

static void fill(const struct layout *layout, enum content content, uint8_t *row, uint32_t width, uint32_t y) {
  for (uint32_t x = 0; x < width; ++x) {
    uint8_t *pixel = row + x * layout->bytes;
    uint32_t colour = roll() % 13;
    for (size_t i = 0; i < layout->bytes; ++i) {
      switch (content) {
        case NOISE:
          pixel[i] = (uint8_t)roll();
          break;
        case SMOOTH:
          pixel[i] = (uint8_t)(x * 2 + y * (i + 1) + 20 * i);
          break;
        case FEW_COLOURS:
          pixel[i] = (uint8_t)((colour + i) * 67 / (i + 1));
          break;
        case BLACK_AND_WHITE:
          pixel[i] = colour % 2 ? 255 : 0;
          break;
        default:
          pixel[i] = (uint8_t)(77 * (i + 1));
      }
    }
  }
}

/* A pixel map, and its pixels as they have to come back. */
static ImagePixelMap *picture(const struct layout *layout, enum content content, uint32_t width, uint32_t height,
                              size_t padding, Rgba **expected) {
  size_t stride = width * layout->bytes + padding;
  uint8_t *bytes = malloc(stride * height);
  ImagePixelMap *map = NULL;
  *expected = malloc((size_t)width * height * sizeof **expected);
  NEED(bytes != NULL && *expected != NULL);
  for (uint32_t y = 0; y < height; ++y) {
    uint8_t *row = bytes + y * stride;
    fill(layout, content, row, width, y);
    for (size_t i = width * layout->bytes; i < stride; ++i) row[i] = (uint8_t)roll();
    for (uint32_t x = 0; x < width; ++x) layout->meaning(row + x * layout->bytes, (*expected)[(size_t)y * width + x]);
  }
  NEED(image_pixelmap_create_from_copy(width, height, layout->format, bytes, stride * height, stride, &map) ==
       IMAGE_OK);
  if (layout->alpha) NEED(image_pixelmap_set_alpha_type(map, IMAGE_ALPHA_UNPREMULTIPLIED) == IMAGE_OK);
  free(bytes);
  return map;
}

/* --- what comes out ----------------------------------------------------------------------------------------------- */

struct png_input {
  const uint8_t *at;
  size_t left;
};

static void png_more(png_structp png, png_bytep out, size_t count) {
  struct png_input *input = png_get_io_ptr(png);
  if (count > input->left) png_error(png, "the file ends early");
  memcpy(out, input->at, count);
  input->at += count;
  input->left -= count;
}

static char complaint[200];
static void png_complains(png_structp png, png_const_charp message) {
  snprintf(complaint, sizeof complaint, "%s", message);
  longjmp(png_jmpbuf(png), 1);
}

/* libpng, for which a warning is an error here. */
static Rgba *read_png(const uint8_t *bytes, size_t size, uint32_t *width, uint32_t *height) {
  struct png_input input = {bytes, size};
  Rgba *volatile pixels = NULL;
  png_bytep *volatile rows = NULL;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, png_complains, png_complains);
  png_infop info = png_create_info_struct(png);
  NEED(png != NULL && info != NULL);
  if (setjmp(png_jmpbuf(png)) != 0) {
    free(pixels);
    free(rows);
    png_destroy_read_struct(&png, &info, NULL);
    return NULL;
  }
  png_set_read_fn(png, &input, png_more);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_read_info(png, info);
  *width = png_get_image_width(png, info);
  *height = png_get_image_height(png, info);
  png_set_expand_16(png);
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 65535, PNG_FILLER_AFTER);
  png_set_swap(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != *width * sizeof(Rgba)) png_error(png, "not RGBA of 16 bits");
  pixels = malloc((size_t)*width * *height * sizeof(Rgba));
  rows = malloc(*height * sizeof(png_bytep));
  NEED(pixels != NULL && rows != NULL);
  for (uint32_t y = 0; y < *height; ++y) rows[y] = (png_bytep)(pixels + (size_t)y * *width);
  png_read_image(png, rows);
  png_read_end(png, info);
  if (input.left != 0) png_error(png, "bytes behind the end");
  free(rows);
  png_destroy_read_struct(&png, &info, NULL);
  return pixels;
}

static Rgba *widened(const uint8_t *bytes, size_t count, size_t channels) {
  Rgba *pixels = malloc(count * sizeof *pixels);
  NEED(pixels != NULL);
  for (size_t i = 0; i < count; ++i)
    (channels == 1 ? gray : channels == 3 ? rgb : rgba)(bytes + i * channels, pixels[i]);
  return pixels;
}

static Rgba *read_webp(const uint8_t *bytes, size_t size, uint32_t *width, uint32_t *height) {
  int w = 0, h = 0;
  uint8_t *out = WebPDecodeRGBA(bytes, size, &w, &h);
  if (out == NULL) return NULL;
  *width = (uint32_t)w, *height = (uint32_t)h;
  Rgba *pixels = widened(out, (size_t)w * (size_t)h, 4);
  WebPFree(out);
  return pixels;
}

struct jpeg_trouble {
  struct jpeg_error_mgr manager; /* first: libjpeg hands it back */
  jmp_buf out;
};

static void jpeg_complains(j_common_ptr jpeg) {
  jpeg->err->format_message(jpeg, complaint);
  longjmp(((struct jpeg_trouble *)(void *)jpeg->err)->out, 1);
}
static void jpeg_says(j_common_ptr jpeg, int level) {
  if (level < 0) jpeg_complains(jpeg);
}

/* libjpeg, for which a warning is an error here. */
static Rgba *read_jpeg(const uint8_t *bytes, size_t size, uint32_t *width, uint32_t *height) {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_trouble trouble;
  uint8_t *volatile out = NULL;
  jpeg.err = jpeg_std_error(&trouble.manager);
  trouble.manager.error_exit = jpeg_complains;
  trouble.manager.emit_message = jpeg_says;
  if (setjmp(trouble.out) != 0) {
    free(out);
    jpeg_destroy_decompress(&jpeg);
    return NULL;
  }
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, (unsigned char *)(uintptr_t)bytes, (unsigned long)size);
  jpeg_read_header(&jpeg, TRUE);
  jpeg_start_decompress(&jpeg);
  size_t channels = (size_t)jpeg.output_components, stride = jpeg.output_width * channels;
  *width = jpeg.output_width, *height = jpeg.output_height;
  out = malloc(stride * *height);
  NEED(out != NULL);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = out + jpeg.output_scanline * stride;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  Rgba *pixels = widened(out, (size_t)*width * *height, channels);
  free(out);
  return pixels;
}

/* --- the comparison ----------------------------------------------------------------------------------------------- */

static const double EXACT = INFINITY;

/* PSNR in dB over RGBA; a pixel that alpha hides may have any colour. */
static double distance(const Rgba *a, const Rgba *b, size_t count) {
  double squares = 0;
  for (size_t i = 0; i < count; ++i) {
    for (int c = 0; c < 4; ++c) {
      if (c < 3 && a[i][3] == 0 && b[i][3] == 0) continue;
      double difference = ((double)a[i][c] - (double)b[i][c]) / 65535;
      squares += difference * difference;
    }
  }
  return squares == 0 ? EXACT : -10 * log10(squares / ((double)count * 4));
}

typedef Rgba *Reader(const uint8_t *, size_t, uint32_t *, uint32_t *);

static void packed(const ImagePixelMap *map, const ImagePackingOptions *options, Reader *read, const Rgba *expected,
                   uint32_t width, uint32_t height, double floor, const char *what) {
  ImageData *data = NULL;
  uint32_t got_width = 0, got_height = 0;
  if (image_packer_pack_to_data(packer, map, options, &data) != IMAGE_OK) {
    CHECK(false, "%s", what);
    return;
  }
  Rgba *got = read(image_data_bytes(data), image_data_size(data), &got_width, &got_height);
  CHECK(got != NULL, "%s: refused: %s", what, complaint);
  if (got != NULL) {
    bool same_size = got_width == width && got_height == height;
    CHECK(same_size, "%s: %u x %u", what, (unsigned)got_width, (unsigned)got_height);
    double psnr = same_size ? distance(got, expected, (size_t)width * height) : 0;
    CHECK(psnr >= floor, "%s: %.2f dB, %.2f wanted", what, psnr, floor);
  }
  free(got);
  image_data_release(data);
}

static const uint32_t SIZES[][3] = {{1, 1, 0}, {1, 9, 5}, {7, 5, 0}, {33, 17, 3}, {150, 61, 0}}; /* and padding */
enum { SIZE_COUNT = sizeof SIZES / sizeof *SIZES, LAYOUT_COUNT = sizeof layouts / sizeof *layouts };

/* Every layout and content, at each of these efforts. */
static void lossless(const char *format, Reader *read, const int *efforts, bool deep) {
  ImagePackingOptions *options = host_options(format);
  NEED(image_packing_options_set_lossless(options, true) == IMAGE_OK);
  for (size_t l = 0; l < LAYOUT_COUNT; ++l) {
    if (layouts[l].deep && !deep) continue;
    for (int content = 0; content < CONTENTS; ++content) {
      for (size_t s = 0; s < SIZE_COUNT; ++s) {
        Rgba *expected;
        uint32_t width = SIZES[s][0], height = SIZES[s][1];
        ImagePixelMap *map = picture(&layouts[l], (enum content)content, width, height, SIZES[s][2], &expected);
        for (const int *effort = efforts; *effort != 0; ++effort) {
          char what[200];
          snprintf(what, sizeof what, "%s, %s, %s, %u x %u, effort %d", format, layouts[l].name, content_names[content],
                   (unsigned)width, (unsigned)height, *effort);
          NEED(image_packing_options_set_effort(options, *effort) == IMAGE_OK);
          packed(map, options, read, expected, width, height, EXACT, what);
        }
        free(expected);
        image_pixelmap_release(map);
      }
    }
  }
  image_packing_options_release(options);
}

/* Smooth pictures, whose PSNR says whether colours, planes and edges are right. */
static void lossy(const char *format, Reader *read, bool alpha, const int *subsamplings, double floor) {
  ImagePackingOptions *options = host_options(format);
  for (size_t l = 0; l < LAYOUT_COUNT; ++l) {
    if (layouts[l].alpha && !alpha) continue;
    for (size_t s = 0; s < SIZE_COUNT; ++s) {
      for (int content = SMOOTH; content <= FLAT; content += FLAT - SMOOTH) {
        Rgba *expected;
        uint32_t width = SIZES[s][0], height = SIZES[s][1];
        /* The pattern wraps at 256, which is no longer smooth; and the low byte of a deep sample is as good as noise.
         */
        if (content == SMOOTH && (width > 100 || layouts[l].deep)) continue;
        ImagePixelMap *map = picture(&layouts[l], (enum content)content, width, height, SIZES[s][2], &expected);
        for (const int *subsampling = subsamplings; *subsampling != 0; ++subsampling) {
          for (int effort = 1; effort <= 10; ++effort) {
            char what[200];
            snprintf(what, sizeof what, "%s %d, %s, %s, %u x %u, effort %d", format, *subsampling, layouts[l].name,
                     content_names[content], (unsigned)width, (unsigned)height, effort);
            NEED(image_packing_options_set_effort(options, effort) == IMAGE_OK &&
                 image_packing_options_set_subsampling(options, (ImageSubsampling)*subsampling) == IMAGE_OK);
            packed(map, options, read, expected, width, height, floor, what);
          }
        }
        free(expected);
        image_pixelmap_release(map);
      }
    }
  }
  image_packing_options_release(options);
}

/* A picture large enough for threads, strips and restart markers, at every effort. */
static void large(const char *format, Reader *read, double floor) {
  const struct layout *layout = &layouts[0];
  uint32_t width = 1203, height = 701;
  Rgba *expected = malloc((size_t)width * height * sizeof *expected);
  uint8_t *bytes = malloc((size_t)width * height * 3);
  ImagePixelMap *map = NULL;
  NEED(expected != NULL && bytes != NULL);
  for (uint32_t y = 0; y < height; ++y) {
    for (uint32_t x = 0; x < width; ++x) {
      uint8_t *pixel = bytes + ((size_t)y * width + x) * 3;
      pixel[0] = (uint8_t)(x * 255 / width), pixel[1] = (uint8_t)(y * 255 / height);
      pixel[2] = (uint8_t)(128 + 100 * sin(x / 31.0) * cos(y / 23.0));
      layout->meaning(pixel, expected[(size_t)y * width + x]);
    }
  }
  NEED(image_pixelmap_create_borrowed(width, height, layout->format, bytes, (size_t)width * height * 3, 0, NULL, NULL,
                                      &map) == IMAGE_OK);
  ImagePackingOptions *options = host_options(format);
  for (int effort = 1; effort <= 7; effort += 2) {
    char what[100];
    snprintf(what, sizeof what, "%s, large, effort %d", format, effort);
    NEED(image_packing_options_set_effort(options, effort) == IMAGE_OK);
    packed(map, options, read, expected, width, height, floor, what);
  }
  image_packing_options_release(options);
  image_pixelmap_release(map);
  free(bytes);
  free(expected);
}

int main(void) {
  const int png_efforts[] = {1, 2, 4, 6, 9, 0}, webp_efforts[] = {1, 5, 0};
  const int jpeg_subsamplings[] = {IMAGE_SUBSAMPLING_444, IMAGE_SUBSAMPLING_422, IMAGE_SUBSAMPLING_420, 0};
  const int webp_subsamplings[] = {IMAGE_SUBSAMPLING_420, 0};
  NEED(image_packer_create(&packer) == IMAGE_OK);
  lossless("image/png", read_png, png_efforts, true);
  large("image/png", read_png, EXACT);
  lossless("image/webp", read_webp, webp_efforts, false);
  lossy("image/webp", read_webp, true, webp_subsamplings, 30);
  large("image/webp", read_webp, 36);
  lossy("image/jpeg", read_jpeg, false, jpeg_subsamplings, 30);
  large("image/jpeg", read_jpeg, 36);
  image_packer_release(packer);
  return host_end("system decoders");
}
