/* A stream of frames takes the memory of a few frames, however many come: counted by this program's own malloc. */
#include "host.h"
#include "counted.h"

enum { WIDTH = 640, HEIGHT = 480 };
static const long FRAME = WIDTH * HEIGHT * 4;

static uint8_t pixels[WIDTH * HEIGHT * 3];

/* A window that moves over a pattern. */
static void draw(int frame) {
  for (int y = 0; y < HEIGHT; ++y)
    for (int x = 0; x < WIDTH; ++x) {
      uint8_t *to = pixels + 3 * (y * WIDTH + x);
      int left = 8 * (frame % 60), inside = x >= left && x < left + 100 && y >= 100 && y < 200;
      to[0] = (uint8_t)(inside ? 240 : x / 3), to[1] = (uint8_t)(inside ? frame : y / 2), to[2] = inside ? 40 : 90;
    }
}

static size_t sent;
static int count(void *user, const uint8_t *bytes, size_t size) {
  (void)user, (void)bytes;
  sent += size;
  return 0;
}

/* Most bytes that are held at a time while so many frames go through. */
static long stream(const char *format, int effort, bool lossless, int frames) {
  ImagePacker *packer = NULL;
  ImageSequenceOptions *options = NULL;
  ImageSequence *sequence = NULL;
  NEED(image_packer_create(&packer) == IMAGE_OK);
  NEED(image_sequence_options_create(format, (uint32_t)frames, &options) == IMAGE_OK);
  NEED(image_sequence_options_set_effort(options, effort) == IMAGE_OK);
  NEED(image_sequence_options_set_lossless(options, lossless) == IMAGE_OK);
  sent = 0;
  long before = held;
  most = held;
  CHECK(image_sequence_begin_to_writer(packer, count, NULL, options, &sequence) == IMAGE_OK, "%s", format);
  for (int frame = 0; frame < frames; ++frame) {
    ImagePixelMap *map = NULL;
    draw(frame);
    NEED(image_pixelmap_create_borrowed(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGB_888, pixels, sizeof pixels, 0, NULL, NULL,
                                        &map) == IMAGE_OK);
    CHECK(image_sequence_add_frame(sequence, map, 4, 1) == IMAGE_OK, "%s", format);
    NEED(image_pixelmap_release(map) == IMAGE_OK);
  }
  CHECK(image_sequence_finish(sequence, NULL) == IMAGE_OK, "%s", format);
  CHECK(image_sequence_release(sequence) == IMAGE_OK, "%s", format);
  CHECK(sent > 0, "%s", format);
  image_sequence_options_release(options);
  image_packer_release(packer);
  return most - before;
}

/* Eight frames' worth, and what is kept compressed to the end: with many frames as with few. */
static void check(const char *format, int effort, bool lossless, int frames) {
  long few = stream(format, effort, lossless, 12);
  long bytes = (long)sent, many = stream(format, effort, lossless, frames);
  printf("%s, effort %d%s: 12 frames take %.1f frames' worth and make %ld bytes, %d take %.1f and make %zu\n", format,
         effort, lossless ? ", lossless" : "", (double)few / (double)FRAME, bytes, frames, (double)many / (double)FRAME,
         sent);
  /* What a format cannot pass on yet it keeps compressed, and puts together at the end. */
  CHECK(many <= 8 * FRAME + 2 * (long)sent, "%s, effort %d: %ld bytes for frames of %ld", format, effort, many, FRAME);
  CHECK(many <= few + FRAME / 2 + 3 * (long)sent, "%s: %ld bytes, %ld for fewer frames", format, many, few);
}

int main(int argc, char **argv) {
  for (size_t index = 0;; ++index) {
    const char *format = image_packer_get_supported_format(index);
    if (format == NULL) break;
    if (!(image_packer_get_format_features(format) & IMAGE_FORMAT_ANIMATION)) continue;
    check(format, 1, false, argc > 1 ? atoi(argv[1]) : 48);
    check(format, 5, false, 24);
    if (strcmp(format, "image/webp") != 0) continue;
    for (int effort = 1; effort <= 10; effort += 3) {
      check(format, effort, true, 24);
      check(format, effort, false, 16);
    }
  }
  return host_end("sequences");
}
