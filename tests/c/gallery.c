/* Writes into a folder what scripts/chromium_check.py has a browser draw: HDR patches, turned images, colours of two
 * spaces. What they must look like is known there. */
#include "host.h"

#include <math.h>

static const char *folder;
static ImagePacker *packer;

static const struct {
  const char *mime, *suffix;
} formats[] = {
    {"image/jpeg", "jpg"}, {"image/png", "png"}, {"image/webp", "webp"}, {"image/avif", "avif"}, {"image/gif", "gif"}};
enum { FORMATS = sizeof formats / sizeof *formats, JPEG = 0, PNG = 1, AVIF = 3, GIF = 4 };

static bool available(int format) { return image_packer_get_format_features(formats[format].mime) != 0; }

/* Packs the main image of a picture. The setting and its value may be NULL. */
static void save(const ImagePicture *picture, int format, int quality, const char *setting, const char *value,
                 bool is_sdr, const char *name) {
  char path[4096];
  ImagePackingOptions *options = NULL;
  NEED(image_packing_options_create(formats[format].mime, quality, &options) == IMAGE_OK);
  if (setting) NEED(image_packing_options_set(options, setting, value) == IMAGE_OK);
  if (is_sdr) NEED(image_packing_options_set_dynamic_range(options, IMAGE_DYNAMIC_RANGE_SDR) == IMAGE_OK);
  snprintf(path, sizeof path, "%s/%s.%s", folder, name, formats[format].suffix);
  CHECK(image_packer_pack_to_path_from_picture(packer, picture, path, options) == IMAGE_OK, "%s: %s", path,
        image_packer_last_error_message());
  image_packing_options_release(options);
}

static ImagePicture *picture_of(uint32_t width, uint32_t height, ImagePixelFormat format, const void *bytes,
                                size_t size, int primaries, int transfer) {
  ImagePixelMap *map = NULL;
  ImagePicture *picture = NULL;
  NEED(image_pixelmap_create_from_copy(width, height, format, bytes, size, 0, &map) == IMAGE_OK);
  NEED(image_pixelmap_set_cicp(map, (uint8_t)primaries, (uint8_t)transfer, 0, true) == IMAGE_OK);
  NEED(image_picture_create(map, &picture) == IMAGE_OK);
  image_pixelmap_release(map);
  return picture;
}

/* Two rows of ten patches, 48 pixels a side: neutral ones and tinted ones, PQ in Display P3's primaries. */
static void patches(void) {
  enum { SIDE = 48, COUNT = 10, WIDTH = SIDE * COUNT, HEIGHT = 2 * SIDE };
  static const double nits[COUNT] = {0.1, 0.5, 1, 5, 20, 50, 100, 203, 400, 1000};
  static const double tints[2][3] = {{1, 1, 1}, {1, 0.5, 0.25}};
  static uint32_t pixels[HEIGHT][WIDTH];
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) {
      uint32_t word = 3u << 30;
      for (int c = 0; c < 3; c++) {
        double power = pow(nits[x / SIDE] * tints[y / SIDE][c] / 1e4, 0.1593017578125);
        double signal = pow((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 78.84375);
        word |= (uint32_t)lround(signal * 1023) << (10 * c);
      }
      pixels[y][x] = word;
    }
  ImagePicture *picture = picture_of(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGBA_1010102, pixels, sizeof pixels, 12, 16);
  save(picture, JPEG, 100, "gain_map.scale", "1", false, "patches");
  save(picture, JPEG, 100, "gain_map.scale", "2", false, "patches_half");
  save(picture, JPEG, 100, NULL, NULL, true, "patches_sdr");
  save(picture, PNG, 100, "hdr.form", "signal", false, "patches_signal");
  if (available(AVIF)) {
    save(picture, AVIF, 100, "gain_map.scale", "1", false, "patches");
    save(picture, AVIF, 100, NULL, NULL, true, "patches_sdr");
    save(picture, AVIF, 100, "hdr.form", "signal", false, "patches_signal");
  }

  /* The same as the HDR rendition of an SDR image that is not it scaled: three channels of gains. */
  static uint8_t sdr[HEIGHT][WIDTH][3];
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++)
      for (int c = 0; c < 3; c++) {
        double light = fmin(nits[x / SIDE] * tints[y / SIDE][c] / 203 * (0.4 + 0.1 * c), 1);
        sdr[y][x][c] =
            (uint8_t)lround(255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * pow(light, 1 / 2.4) - 0.055));
      }
  ImagePixelMap *hdr = NULL;
  NEED(image_picture_get_main(picture, &hdr) == IMAGE_OK);
  ImagePicture *both = picture_of(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGB_888, sdr, sizeof sdr, 12, 13);
  NEED(image_picture_set_hdr_rendition(both, hdr) == IMAGE_OK);
  save(both, JPEG, 100, "gain_map.scale", "1", false, "patches_two");
  image_pixelmap_release(hdr);
  image_picture_release(both);
  image_picture_release(picture);
}

/* Corners of red, green, blue and white, in every orientation that EXIF has. */
static void turned(void) {
  enum { WIDTH = 96, HEIGHT = 64 };
  static const uint8_t corners[2][2][3] = {{{220, 30, 30}, {30, 200, 30}}, {{30, 30, 220}, {240, 240, 240}}};
  static uint8_t pixels[HEIGHT][WIDTH][3];
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) memcpy(pixels[y][x], corners[y >= HEIGHT / 2][x >= WIDTH / 2], 3);
  ImagePicture *picture = picture_of(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGB_888, pixels, sizeof pixels, 1, 13);
  for (int format = 0; format < FORMATS; format++)
    for (uint32_t orientation = 1; orientation <= 8 && available(format); orientation++) {
      char name[32];
      snprintf(name, sizeof name, "turned_%u", (unsigned)orientation);
      NEED(image_picture_set_orientation(picture, orientation) == IMAGE_OK);
      save(picture, format, 95, NULL, NULL, false, name);
    }
  image_picture_release(picture);
}

/* A grid of 4 x 4 colours, once as sRGB and once as Display P3. */
static void colors(void) {
  enum { SIDE = 32, WIDTH = 4 * SIDE };
  static const uint8_t levels[4] = {40, 110, 180, 250};
  static uint8_t pixels[WIDTH][WIDTH][3];
  for (int y = 0; y < WIDTH; y++)
    for (int x = 0; x < WIDTH; x++) {
      int i = y / SIDE, j = x / SIDE;
      const uint8_t rgb[3] = {levels[i], levels[j], levels[(i + 2 * j) % 4]};
      memcpy(pixels[y][x], rgb, 3);
    }
  for (int p3 = 0; p3 < 2; p3++) {
    ImagePicture *picture =
        picture_of(WIDTH, WIDTH, IMAGE_PIXEL_FORMAT_RGB_888, pixels, sizeof pixels, p3 ? 12 : 1, 13);
    for (int format = 0; format < FORMATS; format++)
      if (available(format)) save(picture, format, 100, NULL, NULL, false, p3 ? "colors_p3" : "colors_srgb");
    image_picture_release(picture);
  }
}

int main(int argc, char **argv) {
  folder = argc > 1 ? argv[1] : ".";
  NEED(mkdir(folder, 0777) == 0 || errno == EEXIST);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  patches();
  turned();
  colors();
  image_packer_release(packer);
  return host_end("gallery");
}
