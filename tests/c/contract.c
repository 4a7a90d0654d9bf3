/* The sentences of the header's comments, in its order. What concerns descriptors is in file_contract.c, wrong handles
 * are in handles.c, wrong numbers in limits.c, many threads in threads.c. */
#include "host.h"

#include <pthread.h>

static ImagePacker *packer;
static ImagePackingOptions *jpeg;
static uint8_t rgb[32 * 24 * 3];

static HostBytes packed(const ImagePixelMap *map) { return host_expected(packer, map, jpeg); }

static bool equal(HostBytes a, HostBytes b) {
  bool same = a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
  free(a.bytes);
  free(b.bytes);
  return same;
}

static ImagePixelMap *copy_of_rgb(void) {
  ImagePixelMap *map = NULL;
  NEED(image_pixelmap_create_from_copy(32, 24, IMAGE_PIXEL_FORMAT_RGB_888, rgb, sizeof rgb, 0, &map) == IMAGE_OK);
  return map;
}

/* ==== Version and errors ==== */

static void *fresh_thread(void *unused) {
  CHECK(image_packer_last_error_message()[0] == 0, "\"\" if nothing failed yet");
  CHECK(image_packer_last_error_status() == IMAGE_OK, "IMAGE_OK if nothing failed yet");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_NONE, "IMAGE_CAUSE_NONE if nothing failed yet");
  return unused;
}

static int lines, wrong_lines;
static void on_line(void *user, int32_t level, const char *line) {
  if (user != &lines || level < 1 || level > 4 || !line || !line[0]) ++wrong_lines;
  ++lines;
}

static void fail_again(void *user, int32_t level, const char *line) {
  on_line(user, level, line);
  CHECK(image_packing_options_set_quality(jpeg, 1000) == 401, "a failure inside");
}

static void version_and_errors(void) {
  static const ImageStatus all[] = {IMAGE_OK, 401,      62980115, 62980096, 62980101, 62980106, 62980113,
                                    62980119, 62980120, 62980172, 62980252, 7800301,  1001};
  pthread_t thread;
  ImagePacker *other = NULL;
  char message[256];
  CHECK(image_packer_version() == IMAGE_PACKER_VERSION, "the header's version");
  CHECK(strncmp(image_packer_version_string(), "image_packer", 12) == 0, "%s", image_packer_version_string());
  CHECK(image_packer_version_string() == image_packer_version_string(), "static");
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
    CHECK(strcmp(image_status_text(all[i]), image_status_text(-12345)) != 0, "%d has a name", (int)all[i]);
  NEED(pthread_create(&thread, NULL, fresh_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);

  CHECK(image_packing_options_set_quality(jpeg, 1000) == 401, "a failure");
  snprintf(message, sizeof message, "%s", image_packer_last_error_message());
  const char *place = image_packer_last_error_message();
  CHECK(image_packer_create(&other) == IMAGE_OK && image_packer_release(other) == IMAGE_OK, "successes");
  CHECK(strcmp(image_packer_last_error_message(), message) == 0 && image_packer_last_error_message() == place &&
            image_packer_last_error_status() == 401 && image_packer_last_error_cause() == IMAGE_CAUSE_OUT_OF_RANGE,
        "a successful call leaves the last error alone");

  CHECK(image_packer_set_log(on_line, &lines, 1) == IMAGE_OK, "a log");
  image_packing_options_set_quality(jpeg, 1000);
  CHECK(lines == 1 && wrong_lines == 0, "a failure is a line: %d", lines);
  CHECK(image_packer_set_log(fail_again, &lines, 1) == IMAGE_OK, "a log that fails itself");
  image_packing_options_set_quality(jpeg, 1000);
  CHECK(lines == 2 && wrong_lines == 0, "makes no lines itself: %d", lines);
  image_packing_options_set_quality(jpeg, 1000);
  CHECK(lines == 3, "and is called again: %d", lines);
  CHECK(image_packer_set_log(NULL, NULL, 1) == IMAGE_OK, "no log");
  image_packing_options_set_quality(jpeg, 1000);
  CHECK(lines == 3, "silence");
}

/* ==== ImageData ==== */

static void data(void) {
  ImagePixelMap *map = copy_of_rgb();
  ImageData *data = NULL;
  uint8_t *bytes = NULL;
  size_t size = 0;
  CHECK(image_packer_pack_to_data(packer, map, jpeg, &data) == IMAGE_OK, "data");
  const uint8_t *inside = image_data_bytes(data);
  size_t inside_size = image_data_size(data);
  CHECK(inside && inside_size > 100 && inside[0] == 0xFF && inside[1] == 0xD8, "bytes and size");
  CHECK(image_data_take(data, &bytes, &size) == IMAGE_OK, "take");
  CHECK(bytes == inside && size == inside_size, "nothing is copied");
  CHECK(image_data_release(data) == 401 && image_data_bytes(data) == NULL && image_data_size(data) == 0, "released");
  free(bytes);
  image_pixelmap_release(map);
}

/* ==== ImagePixelMap ==== */

static int given_back;
static void give_back(void *user) { ++*(int *)user; }

static void pixelmaps(void) {
  ImagePixelMap *map = NULL, *other = NULL;
  uint8_t buffer[40 * 24 * 3];
  uint32_t width = 0, height = 0;
  int32_t format = 0;

  CHECK(image_pixelmap_create(32, 24, IMAGE_PIXEL_FORMAT_RGB_888, &map) == IMAGE_OK, "create");
  memset(buffer, 1, sizeof buffer);
  CHECK(image_pixelmap_read_pixels(map, buffer, sizeof buffer, 0) == IMAGE_OK, "read");
  size_t sum = 0;
  for (size_t i = 0; i < sizeof rgb; ++i) sum += buffer[i];
  CHECK(sum == 0, "zero bytes");
  CHECK(
      image_pixelmap_get_size(map, &width, NULL) == IMAGE_OK && image_pixelmap_get_size(map, NULL, &height) == IMAGE_OK,
      "either place may be NULL");
  CHECK(width == 32 && height == 24, "size");
  CHECK(image_pixelmap_get_format(map, &format) == IMAGE_OK && format == IMAGE_PIXEL_FORMAT_RGB_888, "format");

  /* What is written comes back, through strides that differ. */
  memset(buffer, 0x5A, sizeof buffer);
  for (size_t y = 0; y < 24; ++y) memcpy(buffer + y * 120, rgb + y * 96, 96);
  CHECK(image_pixelmap_write_pixels(map, buffer, 23 * 120 + 96, 120) == IMAGE_OK, "write with a stride");
  other = copy_of_rgb();
  CHECK(equal(packed(map), packed(other)), "written pixels are the copied ones");
  memset(buffer, 0x5A, sizeof buffer);
  CHECK(image_pixelmap_read_pixels(map, buffer, sizeof buffer, 101) == IMAGE_OK, "read with a stride");
  bool rows = true, gaps = true;
  for (size_t y = 0; y < 24; ++y) rows = rows && memcmp(buffer + y * 101, rgb + y * 96, 96) == 0;
  for (size_t y = 0; y < 23; ++y) gaps = gaps && buffer[y * 101 + 96] == 0x5A && buffer[y * 101 + 100] == 0x5A;
  CHECK(rows, "read pixels are the written ones");
  CHECK(gaps, "nothing is written between the rows");

  /* `pixels` may be freed on return. */
  uint8_t *passing = malloc(sizeof rgb);
  NEED(passing != NULL);
  memcpy(passing, rgb, sizeof rgb);
  ImagePixelMap *copied = NULL;
  CHECK(
      image_pixelmap_create_from_copy(32, 24, IMAGE_PIXEL_FORMAT_RGB_888, passing, sizeof rgb, 0, &copied) == IMAGE_OK,
      "copy");
  memset(passing, 0, sizeof rgb);
  free(passing);
  CHECK(equal(packed(copied), packed(other)), "the copy is the library's");
  image_pixelmap_release(copied);

  /* Borrowed: given back once, at the end of the last use; never after a failure; not writable. */
  ImagePixelMap *borrowed = NULL;
  given_back = 0;
  CHECK(image_pixelmap_create_borrowed(32, 24, IMAGE_PIXEL_FORMAT_RGB_888, rgb, 10, 0, give_back, &given_back,
                                       &borrowed) == 401,
        "too few bytes");
  CHECK(given_back == 0, "never if the creating call failed");
  CHECK(image_pixelmap_create_borrowed(32, 24, IMAGE_PIXEL_FORMAT_RGB_888, rgb, sizeof rgb, 0, give_back, &given_back,
                                       &borrowed) == IMAGE_OK,
        "borrow");
  CHECK(equal(packed(borrowed), packed(other)), "borrowed pixels are the same pixels");
  CHECK(image_pixelmap_write_pixels(borrowed, rgb, sizeof rgb, 0) == 401, "a borrowed map is not written");
  CHECK(given_back == 0, "still in use");
  CHECK(image_pixelmap_release(borrowed) == IMAGE_OK && given_back == 1, "given back once");

  const void *planes[] = {rgb, rgb + 32 * 24};
  const size_t sizes[] = {32 * 24, 32 * 12}, strides[] = {0, 32};
  CHECK(image_pixelmap_create_borrowed_planes(32, 24, IMAGE_PIXEL_FORMAT_NV12, planes, sizes, strides, 3, give_back,
                                              &given_back, &borrowed) == 401,
        "as the format has planes, else 401");
  CHECK(image_pixelmap_create_borrowed_planes(32, 24, IMAGE_PIXEL_FORMAT_NV12, planes, sizes, strides, 2, give_back,
                                              &given_back, &borrowed) == IMAGE_OK,
        "0 means tight");
  CHECK(image_pixelmap_release(borrowed) == IMAGE_OK && given_back == 2, "planes are given back");

  /* Meaning. */
  CHECK(image_pixelmap_set_alpha_type(map, 4) == 401, "an unknown type");
  CHECK(image_pixelmap_set_alpha_type(map, IMAGE_ALPHA_PREMULTIPLIED) == 401, "PREMULTIPLIED without alpha");
  CHECK(image_pixelmap_set_alpha_type(map, IMAGE_ALPHA_UNPREMULTIPLIED) == 401, "UNPREMULTIPLIED without alpha");
  CHECK(image_pixelmap_set_alpha_type(map, IMAGE_ALPHA_OPAQUE) == IMAGE_OK, "OPAQUE");
  CHECK(image_pixelmap_set_cicp(map, 256, 1, 1, true) == 401, "a code point above 255");
  CHECK(image_pixelmap_set_cicp(map, 12, 13, 0, true) == IMAGE_OK, "Display P3");
  uint8_t profile[132] = {0, 0, 0, 132};
  CHECK(image_pixelmap_set_icc_profile(map, profile, 127) == IMAGE_ERROR_ICC, "shorter than its header");
  CHECK(image_pixelmap_set_icc_profile(map, profile, 132) == IMAGE_ERROR_ICC, "without its signature");
  memcpy(profile + 36, "acsp", 4);
  CHECK(image_pixelmap_set_icc_profile(map, profile, 132) == IMAGE_ERROR_ICC, "of no class");
  memcpy(profile + 8, "\x04\x30\0\0mntrRGB XYZ ", 16);
  CHECK(image_pixelmap_set_icc_profile(map, profile, 131) == IMAGE_ERROR_ICC, "of another size than the header says");
  CHECK(image_pixelmap_set_icc_profile(map, profile, 132) == IMAGE_OK, "a profile's frame");
  memcpy(profile + 12, "link", 4);
  CHECK(image_pixelmap_set_icc_profile(map, profile, 132) == IMAGE_ERROR_ICC, "a link between devices");
  CHECK(image_pixelmap_set_icc_profile(map, NULL, 0) == IMAGE_OK, "NULL and 0 remove it");
  image_pixelmap_release(map);
  image_pixelmap_release(other);
}

/* A pack in progress goes on with what it started with: pixels, options. */
typedef struct {
  ImagePixelMap *map;
  ImagePackingOptions *options;
  HostBytes got;
} Meddler;

static int32_t meddle(void *user, const uint8_t *bytes, size_t size) {
  static const uint8_t black[sizeof rgb];
  Meddler *meddler = user;
  CHECK(image_pixelmap_write_pixels(meddler->map, black, sizeof black, 0) == IMAGE_OK, "nobody waits");
  CHECK(image_packing_options_set_quality(meddler->options, 1) == IMAGE_OK, "a callback may call this library");
  meddler->got.bytes = realloc(meddler->got.bytes, meddler->got.size + size);
  NEED(meddler->got.bytes != NULL);
  memcpy(meddler->got.bytes + meddler->got.size, bytes, size);
  meddler->got.size += size;
  return 0;
}

static int32_t refuse(void *user, const uint8_t *bytes, size_t size) {
  (void)user, (void)bytes, (void)size;
  return 7;
}

static void snapshots_and_writers(void) {
  Meddler meddler = {copy_of_rgb(), NULL, {NULL, 0}};
  NEED(image_packing_options_copy(jpeg, &meddler.options) == IMAGE_OK);
  HostBytes before = packed(meddler.map);
  CHECK(image_packer_pack_to_writer(packer, meddler.map, meddle, &meddler, meddler.options) == IMAGE_OK, "writer");
  CHECK(equal(before, meddler.got), "a pack goes on with the pixels and options that it started with");
  CHECK(image_packer_pack_to_writer(packer, meddler.map, refuse, NULL, jpeg) == IMAGE_ERROR_FAILED &&
            image_packer_last_error_cause() == IMAGE_CAUSE_WRITE,
        "62980096 with cause WRITE when `write` stops");
  image_pixelmap_release(meddler.map);
  image_packing_options_release(meddler.options);
}

/* ==== ImageSource ==== */

static HostBytes image;
static int reads_at_once, wrong_reads;
static int32_t read_image(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size) {
  if (user != &given_back || __sync_add_and_fetch(&reads_at_once, 1) != 1) ++wrong_reads;
  size_t left = offset < image.size ? image.size - (size_t)offset : 0;
  size_t take = left < capacity ? left : capacity;
  if (take > 100) take = 100; /* in small pieces */
  memcpy(buffer, image.bytes + (image.size - left), take);
  *size = take;
  __sync_sub_and_fetch(&reads_at_once, 1);
  return 0;
}
static int32_t read_error(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size) {
  (void)user, (void)offset, (void)buffer, (void)capacity, (void)size;
  return 5;
}

/* The source is a 32 x 24 JPEG; it may be used after what it was made from is gone. */
static void a_source(ImageSource *source, const char *how) {
  const char *mime = NULL;
  size_t frames = 0;
  uint32_t width = 0, height = 0;
  ImagePixelMap *map = NULL;
  ImageData *again = NULL;
  CHECK(image_source_get_format(source, &mime) == IMAGE_OK && mime && strcmp(mime, "image/jpeg") == 0, "%s: format",
        how);
  CHECK(image_source_get_size(source, &width, &height) == IMAGE_OK && width == 32 && height == 24, "%s: size", how);
  CHECK(image_source_get_frame_count(source, &frames) == IMAGE_OK && frames == 1, "%s: frames", how);
  CHECK(image_source_create_pixelmap(source, 1, &map) == 401, "%s: an index past the last frame", how);
  CHECK(image_source_create_pixelmap(source, 0, &map) == IMAGE_OK, "%s: decode", how);
  CHECK(image_pixelmap_get_size(map, &width, &height) == IMAGE_OK && width == 32 && height == 24, "%s: decoded", how);
  CHECK(image_packer_pack_to_data_from_source(packer, source, jpeg, &again) == IMAGE_OK, "%s: re-encode", how);
  image_data_release(again);
  image_pixelmap_release(map);
  CHECK(image_source_release(source) == IMAGE_OK, "%s: release", how);
}

static ImageSource *reads_again;
static int inner_reads;
static ImageStatus inner_status;
static ImageErrorCause inner_cause;
static ImageStatus inner_wait;
static ImageJob *inner_job;

static int32_t read_again(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size) {
  ImagePixelMap *inner = NULL;
  if (*(ImageSource **)user != NULL) {
    ++inner_reads;
    inner_status = image_source_create_pixelmap(*(ImageSource **)user, 0, &inner);
    inner_cause = image_packer_last_error_cause();
    if (inner_job == NULL) {
      NEED(image_packer_pack_to_data_from_source_async(packer, *(ImageSource **)user, jpeg, NULL, NULL, &inner_job) ==
           IMAGE_OK);
      inner_wait = image_job_wait(inner_job, -1);
    }
  }
  *size = offset < image.size ? image.size - (size_t)offset : 0;
  if (*size > capacity) *size = capacity;
  if (*size > 0) memcpy(buffer, image.bytes + offset, *size);
  return 0;
}

static void sources(void) {
  ImagePixelMap *map = copy_of_rgb();
  ImageSource *source = NULL;
  char path[] = "contract-XXXXXX";
  int ends[2], fd = mkstemp(path);
  image = packed(map);
  NEED(fd >= 0 && pipe(ends) == 0 && write(fd, image.bytes, image.size) == (ssize_t)image.size);

  uint8_t *passing = malloc(image.size);
  NEED(passing != NULL);
  memcpy(passing, image.bytes, image.size);
  CHECK(image_source_create_from_copy(passing, image.size, &source) == IMAGE_OK, "copy");
  memset(passing, 0, image.size);
  free(passing);
  a_source(source, "copy");

  given_back = 0;
  CHECK(image_source_create_borrowed("nothing", 7, give_back, &given_back, &source) == IMAGE_ERROR_UNKNOWN_FORMAT &&
            given_back == 0,
        "a creation that fails gives nothing back");
  CHECK(image_source_create_borrowed(image.bytes, image.size, give_back, &given_back, &source) == IMAGE_OK, "borrow");
  a_source(source, "borrowed");
  CHECK(given_back == 1, "given back once");

  CHECK(lseek(fd, 7, SEEK_SET) == 7 && image_source_create_from_fd(fd, &source) == IMAGE_OK, "descriptor");
  CHECK(lseek(fd, 0, SEEK_CUR) == 7, "its offset does not move");
  close(fd); /* which the caller may close on return */
  a_source(source, "descriptor");
  CHECK(image_source_create_from_fd(fd, &source) == 401, "a descriptor that is not open");
  CHECK(image_source_create_from_fd(ends[0], &source) == IMAGE_ERROR_FAILED, "a pipe is not a regular file");
  CHECK(image_source_create_from_path(path, &source) == IMAGE_OK, "path");
  a_source(source, "path");

  given_back = 0;
  CHECK(image_source_create_from_reader(read_image, give_back, &given_back, &source) == IMAGE_OK, "reader");
  a_source(source, "reader");
  CHECK(given_back == 1, "the reader is released");
  CHECK(wrong_reads == 0, "one call at a time, with its user");
  CHECK(image_source_create_from_reader(read_error, NULL, NULL, &source) == IMAGE_ERROR_FAILED &&
            image_packer_last_error_cause() == IMAGE_CAUSE_READ,
        "a reader that fails");
  CHECK(image_source_create_from_reader(read_again, NULL, &reads_again, &reads_again) == IMAGE_OK &&
            image_source_create_pixelmap(reads_again, 0, &map) == IMAGE_OK,
        "a reader that uses its own source");
  CHECK(inner_reads > 0 && inner_status == IMAGE_ERROR_FAILED && inner_cause == IMAGE_CAUSE_READ,
        "which fails inside, and does not wait for itself");
  CHECK(inner_wait == 401, "nor for a job that would wait for it: %d", inner_wait);
  CHECK(image_job_wait(inner_job, -1) == IMAGE_OK, "which goes on");
  image_job_release(inner_job);
  image_pixelmap_release(map);
  image_source_release(reads_again);
  close(ends[0]);
  close(ends[1]);
  unlink(path);
  free(image.bytes);
  image_pixelmap_release(map);
}

/* ==== ImagePackingOptions ==== */

typedef struct {
  uint32_t last, calls, thousands, stop_at;
  int wrong;
} Steps;

static int32_t on_progress(void *user, uint32_t done) {
  Steps *steps = user;
  if (done < steps->last || done > 1000) ++steps->wrong;
  steps->last = done;
  ++steps->calls;
  if (done == 1000) ++steps->thousands;
  return steps->calls == steps->stop_at;
}

static void options(void) {
  static const char *const jpegs[] = {"image/jpeg", "IMAGE/JPEG", "Image/Jpg", "image/jpg"};
  ImagePixelMap *map = host_picture(256, 256);
  ImagePackingOptions *options = NULL, *copy = NULL;
  ImageData *data = NULL;
  for (size_t i = 0; i < sizeof jpegs / sizeof *jpegs; ++i) {
    CHECK(image_packing_options_create(jpegs[i], 98, &options) == IMAGE_OK, "%s", jpegs[i]);
    CHECK(equal(host_expected(packer, map, options), host_expected(packer, map, options)), "the same bytes each time");
    image_packing_options_release(options);
  }
  NEED(image_packing_options_create("image/jpeg", 98, &options) == IMAGE_OK);
  CHECK(image_packing_options_set_buffer_size(options, 10) == IMAGE_OK &&
            image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK && image_data_size(data) > 10,
        "a hint, never a limit");
  image_data_release(data);

  CHECK(image_packing_options_copy(options, &copy) == IMAGE_OK, "copy");
  CHECK(equal(host_expected(packer, map, options), host_expected(packer, map, copy)), "with the same values");
  CHECK(image_packing_options_set_quality(copy, 10) == IMAGE_OK, "independent");
  HostBytes high = host_expected(packer, map, options), low = host_expected(packer, map, copy);
  CHECK(low.size < high.size, "0 (smallest) to 100 (best): %zu, %zu", low.size, high.size);
  free(high.bytes);
  free(low.bytes);
  image_packing_options_release(copy);

  Steps steps = {0, 0, 0, 0, 0};
  CHECK(image_packing_options_set_progress(options, on_progress, &steps) == IMAGE_OK, "progress");
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "pack");
  image_data_release(data);
  CHECK(steps.wrong == 0 && steps.thousands == 1 && steps.last == 1000, "never decreases; 1000 once, on success: %u",
        (unsigned)steps.last);
  steps = (Steps){0, 0, 0, 1, 0};
  data = NULL;
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_ERROR_CANCELLED && data == NULL &&
            image_packer_last_error_cause() == IMAGE_CAUSE_CANCELLED,
        "a pack that is stopped answers 1001");
  CHECK(image_packing_options_set_progress(options, NULL, NULL) == IMAGE_OK, "NULL removes it");
  steps.calls = 0;
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK && steps.calls == 0, "removed");
  image_data_release(data);
  image_packing_options_release(options);
  image_pixelmap_release(map);
}

/* ==== ImagePacker ==== */

static void formats(void) {
  size_t count = 0;
  bool has_jpeg = false;
  for (const char *format; (format = image_packer_get_supported_format(count)) != NULL; ++count) {
    ImagePackingOptions *options = NULL;
    uint32_t features = image_packer_get_format_features(format);
    CHECK(features & (IMAGE_FORMAT_LOSSY | IMAGE_FORMAT_LOSSLESS), "%s: features %u", format, (unsigned)features);
    CHECK(image_packing_options_create(format, 50, &options) == IMAGE_OK, "%s: a format this machine can write",
          format);
    for (size_t i = 0; image_packer_get_setting(format, i); ++i) {
      const char *setting = image_packer_get_setting(format, i);
      CHECK(strchr(setting, ':') && strchr(setting, '.') < strchr(setting, ':'),
            "\"name: meaning, values, default\": %s", setting);
    }
    image_packing_options_release(options);
    has_jpeg = has_jpeg || strcmp(format, "image/jpeg") == 0;
  }
  CHECK(count >= 1 && has_jpeg && image_packer_get_supported_format(count + 1000) == NULL, "NULL past the last");
  CHECK(image_packer_get_format_features("image/nothing") == 0, "0 if it cannot be written");
  CHECK(image_packer_get_setting("image/jpeg", 1000) == NULL, "NULL past the last");

  /* The encoded bytes do not depend on the threads. */
  ImagePixelMap *map = host_picture(1600, 1200);
  for (size_t i = 0; i < count; ++i) {
    const char *format = image_packer_get_supported_format(i);
    if (host_is_foreign(format)) continue;
    ImagePackingOptions *options = host_options(format);
    NEED(image_packer_set_threads(packer, 1) == IMAGE_OK);
    HostBytes alone = host_expected(packer, map, options);
    NEED(image_packer_set_threads(packer, 5) == IMAGE_OK);
    CHECK(equal(alone, host_expected(packer, map, options)), "%s: five threads", format);
    image_packing_options_release(options);
  }
  NEED(image_packer_set_threads(packer, 0) == IMAGE_OK);
  image_pixelmap_release(map);
}

int main(void) {
  for (size_t i = 0; i < sizeof rgb; ++i) rgb[i] = (uint8_t)(i % 96 * 2 + i / 96 * 3);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  NEED(image_packing_options_create("image/jpeg", 90, &jpeg) == IMAGE_OK);
  version_and_errors();
  data();
  pixelmaps();
  snapshots_and_writers();
  sources();
  options();
  formats();
  image_packing_options_release(jpeg);
  image_packer_release(packer);
  return host_end("contract");
}
