/* Decompression bombs: files of a few bytes or kilobytes that say they hold gigabytes. Refused before that memory is
 * asked for, which this program's own malloc measures, for the library and its codecs as well. */
#include "host.h"
#include "counted.h"

#include <time.h>

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* --- writing the bombs -------------------------------------------------------------------------------------------- */

static uint8_t bomb[2 << 20];
static size_t bomb_size;

static void byte(unsigned value) {
  NEED(bomb_size < sizeof bomb);
  bomb[bomb_size++] = (uint8_t)value;
}
static void big(uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) byte(value >> shift);
}
static void text(const char *bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) byte((uint8_t)bytes[i]);
}

static size_t chunk_start;
static void chunk(const char *kind) {
  big(0);
  chunk_start = bomb_size;
  text(kind, 4);
}
static void chunk_end(void) {
  uint32_t crc = UINT32_MAX, size = (uint32_t)(bomb_size - chunk_start - 4);
  for (size_t i = chunk_start; i < bomb_size; ++i) {
    crc ^= bomb[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  for (int i = 0; i < 4; ++i) bomb[chunk_start - 4 + (size_t)i] = (uint8_t)(size >> (24 - 8 * i));
  big(~crc);
}

/* A zlib stream of `size` zeros, a multiple of 258 and one: a zero, and matches of 258 bytes in 13 bits each. */
static void zeros(size_t size) {
  uint64_t bits = 0;
  int count = 0;
#define PUT(value, width)                            \
  do {                                               \
    bits |= (uint64_t)(value) << count;              \
    for (count += (width); count >= 8; count -= 8) { \
      byte((unsigned)bits & 255);                    \
      bits >>= 8;                                    \
    }                                                \
  } while (0)
  byte(0x78), byte(0x9C);
  PUT(1 | 1 << 1, 3);                                          /* the last block, fixed codes */
  PUT(0x0C, 8);                                                /* 0 is 00110000, from its first bit */
  for (size_t i = 0; i < (size - 1) / 258; ++i) PUT(0xA3, 13); /* 285 is 11000101, distance 1 is 00000 */
  PUT(0, 7);                                                   /* the end */
  if (count > 0) PUT(0, 8 - count);
  big((uint32_t)((size % 65521) << 16 | 1)); /* Adler-32: the sum is 1 throughout */
}

static void png_head(uint32_t width, uint32_t height, unsigned depth, unsigned colour) {
  bomb_size = 0;
  text("\x89PNG\r\n\x1a\n", 8);
  chunk("IHDR");
  big(width), big(height), byte(depth), byte(colour), byte(0), byte(0), byte(0);
  chunk_end();
}
static void png_end(size_t size) {
  chunk("IDAT");
  if (size > 0) zeros(size);
  chunk_end();
  chunk("IEND");
  chunk_end();
}

/* A file of the test data, whose bytes are changed then. */
static void load(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  HostBytes file = host_file(path);
  NEED(file.size > 0 && file.size < sizeof bomb);
  memcpy(bomb, file.bytes, bomb_size = file.size);
  free(file.bytes);
}

/* Writes a number of `bytes` bytes over the file's own. */
static void put(size_t at, uint64_t value, int bytes, bool big_endian) {
  NEED(at + (size_t)bytes <= bomb_size);
  for (int i = 0; i < bytes; ++i) bomb[at + (size_t)(big_endian ? bytes - 1 - i : i)] = (uint8_t)(value >> (8 * i));
}

static size_t find(const char *bytes, size_t count, size_t from) {
  for (size_t at = from; at + count <= bomb_size; ++at)
    if (memcmp(bomb + at, bytes, count) == 0) return at;
  NEED(!"the test data has what is looked for");
  return 0;
}

/* --- what the library says to them -------------------------------------------------------------------------------- */

static ImagePacker *packer;
static ImagePackingOptions *options;

/* Neither decoded nor packed, with this status and this number in the message; at a cost of at most
 * `allowed` bytes beside the file itself. */
static void refused(const char *name, ImageStatus expected, const char *number, size_t allowed) {
  ImageSource *source = NULL;
  ImagePixelMap *map = NULL;
  ImageData *data = NULL;
  long before = held;
  double start = milliseconds();
  most = held;
  ImageStatus status = image_source_create_borrowed(bomb, bomb_size, NULL, NULL, &source);
  for (int way = 0; way < 3; ++way) {
    if (way == 1 && source != NULL) status = image_source_create_pixelmap(source, 0, &map);
    if (way == 2 && source != NULL) status = image_packer_pack_to_data_from_source(packer, source, options, &data);
    if (way == 0 && status == IMAGE_OK) continue; /* a size may be claimed; the pixels are what is refused */
    CHECK(status == expected, "%s, way %d: %d, not %d", name, way, (int)status, (int)expected);
    CHECK(image_packer_last_error_cause() != IMAGE_CAUSE_NONE && image_packer_last_error_cause() != IMAGE_CAUSE_BUG,
          "%s: cause %d", name, (int)image_packer_last_error_cause());
    CHECK(strstr(image_packer_last_error_message(), number) != NULL, "%s: no %s in the message", name, number);
  }
  double end = milliseconds();
  CHECK(map == NULL && data == NULL, "%s: a failure wrote its output", name);
  printf("%-28s %7zu bytes: refused with %7.1f KiB at most, in %.2f ms\n", name, bomb_size,
         (double)(most - before) / 1024, end - start);
  CHECK(most - before <= (long)allowed, "%s: %ld bytes were allocated, %zu allowed", name, most - before, allowed);
  image_source_release(source);
  CHECK(held - before < 4096, "%s: %ld bytes are left behind", name, held - before);
}

#define LITTLE ((size_t)1 << 20)
#define SOME ((size_t)10 << 20) /* beside the pixels a PNG may hold 8 MiB */

/* A few bytes that claim more pixels than the packer's limit. */
static void claims(const char *data) {
  png_head(60000, 60000, 8, 6), png_end(0);
  refused("PNG", IMAGE_ERROR_TOO_LARGE, "60000", LITTLE);
  load(data, "rgb.jpg");
  size_t sof = find("\xFF\xC0", 2, 0);
  put(sof + 5, 65500, 2, true), put(sof + 7, 65500, 2, true);
  refused("JPEG", IMAGE_ERROR_TOO_LARGE, "65500", LITTLE);
  load(data, "progressive.jpg");
  sof = find("\xFF\xC2", 2, 0);
  put(sof + 5, 65500, 2, true), put(sof + 7, 65500, 2, true);
  refused("progressive JPEG", IMAGE_ERROR_TOO_LARGE, "65500", LITTLE);
  load(data, "anim.gif");
  put(6, 65535, 2, false), put(8, 65535, 2, false);
  refused("GIF", IMAGE_ERROR_TOO_LARGE, "65535", LITTLE);
  load(data, "rgb.bmp");
  put(18, 60000, 4, false), put(22, 60000, 4, false);
  refused("BMP", IMAGE_ERROR_TOO_LARGE, "60000", LITTLE);
  load(data, "anim.webp"); /* a canvas of 24 bits */
  size_t extended = find("VP8X", 4, 0);
  put(extended + 12, 29999, 3, false), put(extended + 15, 29999, 3, false);
  refused("WebP", IMAGE_ERROR_TOO_LARGE, "30000", LITTLE);
  load(data, "rgb.tif");
  bool tiff_big = bomb[0] == 'M';
  size_t directory = 0, entries = 0;
  for (int i = 0; i < 4; ++i) directory |= (size_t)bomb[4 + i] << (8 * (tiff_big ? 3 - i : i));
  for (int i = 0; i < 2; ++i) entries |= (size_t)bomb[directory + (size_t)i] << (8 * (tiff_big ? 1 - i : i));
  for (size_t e = 0; e < entries; ++e) {
    size_t at = directory + 2 + 12 * e;
    unsigned tag = tiff_big ? bomb[at] << 8 | bomb[at + 1] : bomb[at + 1] << 8 | bomb[at];
    if (tag != 256 && tag != 257 && tag != 278) continue;
    put(at + 2, 4, 2, tiff_big), put(at + 8, 60000, 4, tiff_big); /* a LONG: width, height, height of the one strip */
  }
  refused("TIFF", IMAGE_ERROR_TOO_LARGE, "60000", LITTLE);
}

/* The platform's formats, as this machine writes them. */
static void heif_claims(void) {
  const char *formats[] = {"image/heic", "image/avif"};
  ImagePixelMap *small = host_picture(64, 64);
  for (int f = 0; f < 2; ++f) {
    if (image_packer_get_format_features(formats[f]) == 0) continue;
    ImagePackingOptions *its = host_options(formats[f]);
    HostBytes file = host_expected(packer, small, its);
    image_packing_options_release(its);
    memcpy(bomb, file.bytes, bomb_size = file.size);
    free(file.bytes);
    size_t at = find("ispe", 4, 0);
    put(at + 8, 60000, 4, true), put(at + 12, 60000, 4, true);
    /* libheif 1.15 has a limit of its own, which may speak first. */
    ImageSource *source = NULL;
    ImagePixelMap *map = NULL;
    long before = most = held;
    ImageStatus status = image_source_create_from_copy(bomb, bomb_size, &source);
    if (status == IMAGE_OK) status = image_source_create_pixelmap(source, 0, &map);
    CHECK(status == IMAGE_ERROR_TOO_LARGE || status == IMAGE_ERROR_BAD_DATA, "%s: %d", formats[f], (int)status);
    CHECK(map == NULL && most - before < (long)SOME, "%s: %ld bytes", formats[f], most - before);
    image_source_release(source);
  }
  image_pixelmap_release(small);
}

/* Within the limit of pixels, but not of memory, or not of what the file can hold at all. */
static void budgets(void) {
  NEED(image_packer_set_memory_limit(packer, 64 << 20) == IMAGE_OK);
  ImageSource *source = NULL;
  ImageData *data = NULL;
  png_head(12000, 12000, 8, 0), png_end(1 + 258 * 558140); /* 12000 rows of 12001 zeros: a real one of 0.9 MB */
  long before = most = held;
  NEED(image_source_create_borrowed(bomb, bomb_size, NULL, NULL, &source) == IMAGE_OK);
  CHECK(image_packer_pack_to_data_from_source(packer, source, options, &data) == IMAGE_ERROR_FAILED,
        "144 MB in 64 MiB");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_LIMIT, "cause");
  CHECK(strstr(image_packer_last_error_message(), "67108864") != NULL, "the limit is in the message");
  CHECK(most - before < (long)LITTLE, "%ld bytes were allocated", most - before);
  image_source_release(source);
  NEED(image_packer_set_memory_limit(packer, 0) == IMAGE_OK);

  png_head(16000, 16000, 8, 6), png_end(0);
  refused("PNG without its pixels", IMAGE_ERROR_BAD_DATA, "16000", SOME);
}

/* A small image with a profile or a text of 30 MB of zeros, more than any has. */
static void side_chunks(void) {
  const size_t size = 1 + 258 * 116279;
  png_head(4, 4, 8, 0);
  chunk("iCCP"), text("profile\0\0", 9), zeros(size), chunk_end();
  png_end(0);
  refused("PNG with a huge profile", IMAGE_ERROR_BAD_DATA, "PNG", 2 * SOME);
  png_head(4, 4, 8, 0);
  chunk("zTXt"), text("Comment\0\0", 9), zeros(size), chunk_end();
  png_end(0);
  refused("PNG with a huge text", IMAGE_ERROR_BAD_DATA, "PNG", SOME);
  png_head(4, 4, 8, 0), png_end(0);
  refused("PNG of nothing", IMAGE_ERROR_BAD_DATA, "PNG", SOME);
  ImageSource *source = NULL;
  ImagePixelMap *map = NULL;
  NEED(image_source_create_from_copy(bomb, bomb_size, &source) == IMAGE_OK);
  CHECK(image_source_create_pixelmap(source, 1, &map) == 401, "a frame that is not there");
  CHECK(strstr(image_packer_last_error_message(), "1") != NULL, "its number");
  CHECK(image_source_create_pixelmap(source, SIZE_MAX, &map) == 401 && map == NULL, "frame SIZE_MAX");
  image_source_release(source);
}

int main(int count, char **arguments) {
  static char output[BUFSIZ]; /* or stdio would allocate while we measure */
  setvbuf(stdout, output, _IOFBF, sizeof output);
  NEED(count == 2 && image_packer_create(&packer) == IMAGE_OK);
  options = host_options("image/jpeg");
  claims(arguments[1]);
  heif_claims();
  budgets();
  side_chunks();
  image_packing_options_release(options);
  image_packer_release(packer);
  return host_end("bombs");
}
