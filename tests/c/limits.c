/* Nothing, too much and too little: 0, 1, 65535, 2^31, products that overflow, buffers that are too small, images that
 * claim to be huge. An error with the numbers in its message; nothing written, nothing leaked, no crash. */
#include "host.h"

static const int32_t PIXEL_FORMATS[] = {2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   1000,
                                        1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012};
enum { PIXEL_FORMAT_COUNT = sizeof PIXEL_FORMATS / sizeof *PIXEL_FORMATS };

static ImagePacker *packer;
static ImagePixelMap *const UNTOUCHED = (ImagePixelMap *)(uintptr_t)0x5A5A;

/* The call failed as it should, and its message has these numbers (NULL: any). */
static void refused(ImageStatus status, ImageStatus expected, const char *number, const char *other, const char *what) {
  const char *message = image_packer_last_error_message();
  CHECK(status == expected, "%s answers %d, not %d", what, (int)status, (int)expected);
  CHECK(image_packer_last_error_status() == status, "%s: last status", what);
  CHECK(image_packer_last_error_cause() != IMAGE_CAUSE_NONE && image_packer_last_error_cause() != IMAGE_CAUSE_BUG,
        "%s: cause %d", what, (int)image_packer_last_error_cause());
  CHECK(!number || strstr(message, number), "%s: no %s in the message", what, number);
  CHECK(!other || strstr(message, other), "%s: no %s in the message", what, other);
}

static void sides(void) {
  static uint8_t bytes[64];
  for (size_t i = 0; i < PIXEL_FORMAT_COUNT; ++i) {
    int32_t format = PIXEL_FORMATS[i];
    ImagePixelMap *map = UNTOUCHED;
    refused(image_pixelmap_create(0, 7, format, &map), 401, "0", "7", "no width");
    refused(image_pixelmap_create(7, 0, format, &map), 401, "7", "0", "no height");
    refused(image_pixelmap_create_from_copy(0, 0, format, bytes, 64, 0, &map), 401, "0", NULL, "nothing");
    refused(image_pixelmap_create(65535, 65535, format, &map), IMAGE_ERROR_TOO_LARGE, "65535", NULL, "65535 squared");
    refused(image_pixelmap_create(1u << 31, 1, format, &map), IMAGE_ERROR_TOO_LARGE, "2147483648", NULL, "2^31 wide");
    refused(image_pixelmap_create(1, 1u << 31, format, &map), IMAGE_ERROR_TOO_LARGE, "2147483648", NULL, "2^31 high");
    refused(image_pixelmap_create(UINT32_MAX, UINT32_MAX, format, &map), IMAGE_ERROR_TOO_LARGE, "4294967295", NULL,
            "2^32 - 1 squared");
    ImageStatus status = image_pixelmap_create_from_copy(UINT32_MAX, UINT32_MAX, format, bytes, sizeof bytes, 0, &map);
    CHECK(status == IMAGE_ERROR_TOO_LARGE || status == 401, "format %d: %d", (int)format, (int)status);
    status = image_pixelmap_create_borrowed(1u << 30, 1u << 30, format, bytes, sizeof bytes, 0, NULL, NULL, &map);
    CHECK(status == IMAGE_ERROR_TOO_LARGE || status == 401, "format %d: %d", (int)format, (int)status);
    CHECK(map == UNTOUCHED, "format %d: a failure wrote its output", (int)format);
  }
  static const int32_t unknown[] = {INT32_MIN, -1, 0, 1, 13, 999, 1013, 65535, INT32_MAX};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; ++i) {
    ImagePixelMap *map = UNTOUCHED;
    char number[16];
    snprintf(number, sizeof number, "%d", (int)unknown[i]);
    refused(image_pixelmap_create(2, 2, unknown[i], &map), 401, number, NULL, "an unknown pixel format");
    CHECK(map == UNTOUCHED, "output of a failure");
  }
}

static void strides_and_sizes(void) {
  static uint8_t bytes[4096];
  static const size_t overflowing[] = {SIZE_MAX,         SIZE_MAX - 7,    SIZE_MAX / 2,         SIZE_MAX / 2 + 1,
                                       SIZE_MAX / 5 + 1, (size_t)1 << 63, ((size_t)1 << 62) + 4};
  ImagePixelMap *map = UNTOUCHED;
  refused(image_pixelmap_create_from_copy(6, 4, 3, bytes, sizeof bytes, 20, &map), 401, "20", "6", "a short stride");
  CHECK(strstr(image_packer_last_error_message(), "row stride 20 is less than 6 pixels x 4 bytes"),
        "the header's own example");
  refused(image_pixelmap_create_from_copy(6, 4, 3, bytes, 95, 0, &map), 401, "95", "96", "one byte short");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_BUFFER_TOO_SMALL, "cause");
  refused(image_pixelmap_create_from_copy(6, 4, 3, NULL, 96, 0, &map), 401, NULL, NULL, "no pixels");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_NULL_POINTER, "cause");
  refused(image_pixelmap_create_from_copy(6, 4, 3, bytes, 0, 0, &map), 401, "0", "96", "no bytes");
  for (size_t i = 0; i < PIXEL_FORMAT_COUNT; ++i) {
    for (size_t s = 0; s < sizeof overflowing / sizeof *overflowing; ++s) {
      ImageStatus status =
          image_pixelmap_create_from_copy(6, 5, PIXEL_FORMATS[i], bytes, sizeof bytes, overflowing[s], &map);
      CHECK(status == 401 || status == IMAGE_ERROR_TOO_LARGE, "format %d, stride %zu: %d", (int)PIXEL_FORMATS[i],
            overflowing[s], (int)status);
    }
    /* Exactly enough is enough: a byte less is not. Searched, so that no formula of the library's is repeated here. */
    ImagePixelMap *exact = NULL;
    size_t enough = 1;
    while (enough < sizeof bytes &&
           image_pixelmap_create_from_copy(5, 3, PIXEL_FORMATS[i], bytes, enough, 0, &exact) != IMAGE_OK)
      ++enough;
    CHECK(exact != NULL && enough >= 15, "format %d takes %zu bytes", (int)PIXEL_FORMATS[i], enough);
    static uint8_t copy[4096];
    memset(copy, 0x5A, sizeof copy);
    refused(image_pixelmap_read_pixels(exact, copy, enough - 1, 0), 401, NULL, NULL, "reading into too little");
    CHECK(copy[0] == 0x5A && copy[enough - 2] == 0x5A, "a failed read wrote");
    CHECK(image_pixelmap_read_pixels(exact, copy, enough, 0) == IMAGE_OK && copy[enough] == 0x5A, "reading exactly");
    refused(image_pixelmap_write_pixels(exact, copy, enough - 1, 0), 401, NULL, NULL, "writing too little");
    refused(image_pixelmap_write_pixels(exact, copy, sizeof copy, 1), 401, "1", NULL, "writing with a short stride");
    refused(image_pixelmap_read_pixels(exact, copy, sizeof copy, SIZE_MAX / 2), IMAGE_ERROR_TOO_LARGE, "5", NULL,
            "a huge stride");
    image_pixelmap_release(exact);
  }
  CHECK(map == UNTOUCHED, "a failure wrote its output");

  /* Where a plane has few rows, the largest strides are not multiplied, and must not be added up either. */
  for (size_t i = 0; i < PIXEL_FORMAT_COUNT; ++i) {
    for (size_t s = 0; s < sizeof overflowing / sizeof *overflowing; ++s) {
      for (uint32_t height = 1; height <= 4; ++height) {
        ImagePixelMap *lent = NULL, *copied = NULL;
        size_t stride = overflowing[s];
        ImageStatus status =
            image_pixelmap_create_borrowed(6, height, PIXEL_FORMATS[i], bytes, 4096, stride, NULL, NULL, &lent);
        CHECK(status == IMAGE_OK || image_packer_last_error_cause() != IMAGE_CAUSE_BUG, "lent, stride %zu", stride);
        status = image_pixelmap_create_from_copy(6, height, PIXEL_FORMATS[i], bytes, 4096, stride, &copied);
        CHECK(status == IMAGE_OK || image_packer_last_error_cause() != IMAGE_CAUSE_BUG, "copied, stride %zu", stride);
        if (lent != NULL) {
          static uint8_t copy[4096];
          status = image_pixelmap_read_pixels(lent, copy, sizeof copy, stride);
          CHECK(status == IMAGE_OK || image_packer_last_error_cause() != IMAGE_CAUSE_BUG, "read, stride %zu", stride);
        }
        image_pixelmap_release(lent);
        image_pixelmap_release(copied);
      }
    }
  }

  const void *planes[] = {bytes, bytes, bytes, bytes};
  const size_t sizes[] = {64, 32, 16, 16}, strides[] = {0, 0, 0, 0};
  for (size_t count = 0; count < 5; ++count) {
    if (count == 2) continue;
    char number[16];
    snprintf(number, sizeof number, "%zu", count);
    refused(image_pixelmap_create_borrowed_planes(8, 8, IMAGE_PIXEL_FORMAT_NV12, planes, sizes, strides, count, NULL,
                                                  NULL, &map),
            401, number, NULL, "a wrong number of planes");
  }
  refused(image_pixelmap_create_borrowed_planes(8, 8, IMAGE_PIXEL_FORMAT_NV12, planes, sizes, strides, SIZE_MAX, NULL,
                                                NULL, &map),
          401, NULL, NULL, "SIZE_MAX planes");
  const size_t short_sizes[] = {64, 31};
  refused(image_pixelmap_create_borrowed_planes(8, 8, IMAGE_PIXEL_FORMAT_NV12, planes, short_sizes, strides, 2, NULL,
                                                NULL, &map),
          401, "31", "32", "a short plane");
}

static void options(void) {
  ImagePackingOptions *options = NULL;
  refused(image_packing_options_create("image/jpeg", -1, &options), 401, "-1", "100", "quality -1");
  refused(image_packing_options_create("image/jpeg", 101, &options), 401, "101", "100", "quality 101");
  refused(image_packing_options_create("image/jpeg", INT32_MIN, &options), 401, "-2147483648", NULL, "quality");
  refused(image_packing_options_create("image/nothing", 50, &options), IMAGE_ERROR_UNKNOWN_FORMAT, "image/nothing",
          "image/jpeg", "an unknown format");
  refused(image_packing_options_create("", 50, &options), IMAGE_ERROR_UNKNOWN_FORMAT, NULL, NULL, "no format");
  refused(image_packing_options_create(NULL, 50, &options), 401, NULL, NULL, "NULL format");
  refused(image_packing_options_create("image/\xFF\xFE", 50, &options), 401, NULL, NULL, "not UTF-8");
  CHECK(options == NULL, "a failure wrote its output");
  NEED(image_packing_options_create("image/jpeg", 0, &options) == IMAGE_OK);
  CHECK(image_packing_options_set_quality(options, 100) == IMAGE_OK, "quality 100");
  refused(image_packing_options_set_quality(options, 101), 401, "101", NULL, "quality");
  refused(image_packing_options_set_effort(options, 0), 401, "0", "10", "effort 0");
  refused(image_packing_options_set_effort(options, 11), 401, "11", "10", "effort 11");
  refused(image_packing_options_set_background(options, 0x1000000), 401, NULL, NULL, "a background of 25 bits");
  refused(image_packing_options_set_dynamic_range(options, 7), 401, "7", NULL, "dynamic range");
  refused(image_packing_options_set_dynamic_range(options, -1), 401, "-1", NULL, "dynamic range");
  refused(image_packing_options_set_subsampling(options, 421), 401, "421", NULL, "subsampling");
  refused(image_packing_options_set_tail(options, 3), 401, "3", NULL, "tail");
  refused(image_packing_options_set(options, "nothing", "1"), 401, "nothing", NULL, "an unknown setting");
  refused(image_packing_options_set(options, NULL, "1"), 401, NULL, NULL, "no setting");
  CHECK(image_packing_options_set_buffer_size(options, 10) == IMAGE_OK, "a small hint");
  CHECK(image_packing_options_set_buffer_size(options, UINT64_MAX) == IMAGE_OK, "a huge hint");
  ImagePixelMap *map = host_picture(64, 64);
  ImageData *data = NULL;
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "a huge hint is only a hint");
  image_data_release(data);
  image_pixelmap_release(map);
  image_packing_options_release(options);
  refused(image_packer_set_log(NULL, NULL, 0), 401, "0", NULL, "log level 0");
  refused(image_packer_set_log(NULL, NULL, 5), 401, "5", NULL, "log level 5");
}

/* One row and one column of the longest sides that formats hold, and one pixel more. */
static void longest_sides(void) {
  static uint8_t gray[65536];
  for (size_t f = 0; image_packer_get_supported_format(f); ++f) {
    const char *format = image_packer_get_supported_format(f);
    uint32_t most = strcmp(format, "image/jpeg") == 0 ? 65500 : strcmp(format, "image/webp") == 0 ? 16383 : 0;
    if (!most) continue;
    ImagePackingOptions *options = host_options(format);
    for (int upright = 0; upright < 2; ++upright) {
      for (uint32_t side = most; side <= most + 1; ++side) {
        ImagePixelMap *map = NULL;
        ImageData *data = NULL;
        char number[16];
        snprintf(number, sizeof number, "%u", (unsigned)side);
        NEED(image_pixelmap_create_borrowed(upright ? 1 : side, upright ? side : 1, IMAGE_PIXEL_FORMAT_GRAY_8, gray,
                                            side, 0, NULL, NULL, &map) == IMAGE_OK);
        ImageStatus status = image_packer_pack_to_data(packer, map, options, &data);
        if (side == most)
          CHECK(status == IMAGE_OK, "%s takes a side of %s: %d", format, number, (int)status);
        else
          refused(status, IMAGE_ERROR_TOO_LARGE, number, NULL, format);
        image_data_release(data);
        image_pixelmap_release(map);
      }
    }
    image_packing_options_release(options);
  }
}

static void limits_of_a_packer(void) {
  ImagePacker *small = NULL;
  ImagePixelMap *map = host_picture(110, 100);
  ImagePackingOptions *options = host_options("image/jpeg");
  ImageData *data = NULL;
  NEED(image_packer_create(&small) == IMAGE_OK);
  CHECK(image_packer_set_max_pixels(small, 10999) == IMAGE_OK, "max pixels");
  refused(image_packer_pack_to_data(small, map, options, &data), IMAGE_ERROR_TOO_LARGE, "10999", "110", "too many");
  CHECK(image_packer_set_max_pixels(small, 11000) == IMAGE_OK, "max pixels");
  CHECK(image_packer_pack_to_data(small, map, options, &data) == IMAGE_OK, "just enough");
  image_data_release(data);
  data = NULL;
  CHECK(image_packer_set_memory_limit(small, 100) == IMAGE_OK, "memory limit");
  refused(image_packer_pack_to_data(small, map, options, &data), IMAGE_ERROR_FAILED, "100", NULL, "little memory");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_LIMIT, "cause");
  CHECK(image_packer_set_memory_limit(small, 0) == IMAGE_OK, "0 is no limit");
  CHECK(image_packer_pack_to_data(small, map, options, &data) == IMAGE_OK, "no limit");
  image_data_release(data);
  image_packing_options_release(options);
  image_pixelmap_release(map);
  image_packer_release(small);
}

static void no_images(void) {
  ImageSource *source = NULL;
  refused(image_source_create_from_copy("x", 0, &source), IMAGE_ERROR_UNKNOWN_FORMAT, NULL, NULL, "no bytes");
  refused(image_source_create_from_copy("nothing known", 13, &source), IMAGE_ERROR_UNKNOWN_FORMAT, "6e", NULL, "text");
  refused(image_source_create_from_copy(NULL, 13, &source), 401, NULL, NULL, "NULL bytes");
  refused(image_source_create_from_fd(-1, &source), 401, "-1", NULL, "descriptor -1");
  refused(image_source_create_from_path("/nowhere/at/all", &source), IMAGE_ERROR_FAILED, "/nowhere/at/all", NULL,
          "path");
  refused(image_source_create_from_reader(NULL, NULL, NULL, &source), 401, NULL, NULL, "no reader");
  CHECK(source == NULL, "a failure wrote its output");
}

/* A file with a right header and a hole behind it that is larger than any image. */
static void too_many_bytes(void) {
  ImagePixelMap *map = host_picture(8, 8), *decoded = NULL;
  char path[] = "limits-XXXXXX";
  int fd = mkstemp(path);
  NEED(fd >= 0);
  for (size_t f = 0; image_packer_get_supported_format(f) != NULL; ++f) {
    ImagePackingOptions *options = host_options(image_packer_get_supported_format(f));
    HostBytes image = host_expected(packer, map, options);
    ImageSource *source = NULL;
    NEED(ftruncate(fd, 0) == 0 && pwrite(fd, image.bytes, image.size, 0) == (ssize_t)image.size);
    if (ftruncate(fd, (off_t)1 << 40) == 0) {
      ImageStatus status = image_source_create_from_fd(fd, &source);
      if (status == IMAGE_OK) status = image_source_create_pixelmap(source, 0, &decoded);
      refused(status, IMAGE_ERROR_TOO_LARGE, "4294967296", NULL, "a file of 2^40 bytes");
    }
    image_source_release(source);
    image_packing_options_release(options);
    free(image.bytes);
  }
  close(fd), unlink(path);
  image_pixelmap_release(map);
}

static void nowhere_to_write(void) {
  ImagePixelMap *map = host_picture(4, 4);
  ImagePackingOptions *options = host_options("image/jpeg");
  refused(image_packer_create(NULL), 401, NULL, NULL, "no place for a packer");
  refused(image_pixelmap_create(4, 4, 3, NULL), 401, NULL, NULL, "no place for a map");
  refused(image_packing_options_create("image/jpeg", 1, NULL), 401, NULL, NULL, "no place for options");
  refused(image_packing_options_copy(options, NULL), 401, NULL, NULL, "no place for a copy");
  refused(image_source_create_from_copy("x", 1, NULL), 401, NULL, NULL, "no place for a source");
  refused(image_packer_pack_to_data(packer, map, options, NULL), 401, NULL, NULL, "no place for data");
  refused(image_packer_pack_to_writer(packer, map, NULL, NULL, options), 401, NULL, NULL, "no writer");
  refused(image_packer_pack_to_file(packer, map, -1, options), IMAGE_ERROR_INVALID_FILE_ARGUMENT, "-1", NULL, "fd -1");
  refused(image_pixelmap_get_format(map, NULL), 401, NULL, NULL, "no place for a format");
  CHECK(image_pixelmap_get_size(map, NULL, NULL) == IMAGE_OK, "either place may be NULL");
  image_packing_options_release(options);
  image_pixelmap_release(map);
}

int main(void) {
  NEED(image_packer_create(&packer) == IMAGE_OK);
  sides();
  strides_and_sizes();
  options();
  longest_sides();
  limits_of_a_packer();
  no_images();
  too_many_bytes();
  nowhere_to_write();
  image_packer_release(packer);
  return host_end("limits");
}
