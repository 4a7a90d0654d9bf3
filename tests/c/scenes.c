/* Writes HDR images into a folder for scripts/hdr_check.py, which has other decoders reconstruct them: a scene that is
 * computed and a photograph, as JPEG with gain maps of three sizes and as AVIF. Beside each NAME.light, what was
 * packed, and to each file FILE.light, what the library itself decodes of it: floats of R, G and B, rows from the
 * top, 1.0 is diffuse white, in BT.2020's primaries. */
#include "host.h"

#include <math.h>

static const char *folder;
static ImagePacker *packer;

static FILE *create(const char *name, const char *suffix) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
  FILE *file = fopen(path, "wb");
  NEED(file != NULL);
  return file;
}

/* Writes R, G and B of floats with alpha. */
static void save_light(const char *name, const float (*light)[4], uint32_t width, uint32_t height) {
  FILE *file = create(name, ".light");
  NEED(fwrite(&width, sizeof width, 1, file) == 1 && fwrite(&height, sizeof height, 1, file) == 1);
  for (size_t i = 0; i < (size_t)width * height; i++) NEED(fwrite(light[i], sizeof(float), 3, file) == 3);
  NEED(fclose(file) == 0);
}

/* What the library decodes of an image with its gain map applied in full. */
static void reconstruct(const char *name, const void *bytes, size_t size) {
  ImageSource *source = NULL;
  ImagePicture *picture = NULL;
  ImagePixelMap *map = NULL;
  uint32_t width, height;
  NEED(image_source_create_from_copy(bytes, size, &source) == IMAGE_OK);
  NEED(image_source_create_picture(source, &picture) == IMAGE_OK);
  NEED(image_picture_create_hdr_pixelmap(picture, IMAGE_PIXEL_FORMAT_RGBA_F32, INFINITY, &map) == IMAGE_OK);
  NEED(image_pixelmap_get_size(map, &width, &height) == IMAGE_OK);
  size_t needed = (size_t)width * height * 16;
  float(*light)[4] = malloc(needed);
  NEED(light != NULL && image_pixelmap_read_pixels(map, light, needed, 0) == IMAGE_OK);
  save_light(name, (const float(*)[4])light, width, height);
  free(light);
  image_pixelmap_release(map);
  image_picture_release(picture);
  image_source_release(source);
}

static void save(ImagePixelMap *map, const char *mime, int quality, const char *scale, const char *name) {
  ImagePackingOptions *options = NULL;
  ImageData *data = NULL;
  if (image_packer_get_format_features(mime) == 0) return;
  NEED(image_packing_options_create(mime, quality, &options) == IMAGE_OK);
  NEED(image_packing_options_set(options, "gain_map.scale", scale) == IMAGE_OK);
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "%s", name);
  FILE *file = create(name, "");
  NEED(fwrite(image_data_bytes(data), image_data_size(data), 1, file) == 1 && fclose(file) == 0);
  reconstruct(name, image_data_bytes(data), image_data_size(data));
  image_data_release(data);
  image_packing_options_release(options);
}

static ImagePixelMap *map_of(float (*light)[4], uint32_t width, uint32_t height, const char *name) {
  ImagePixelMap *map = NULL;
  /* From Display P3, in which every colour is one of the SDR image, to BT.2020. */
  static const float to_2020[3][3] = {{0.7538330f, 0.1985974f, 0.0475696f},
                                      {0.0457438f, 0.9417772f, 0.0124789f},
                                      {-0.0012103f, 0.0176017f, 0.9836086f}};
  for (size_t i = 0; i < (size_t)width * height; i++) {
    const float r = light[i][0], g = light[i][1], b = light[i][2];
    for (int c = 0; c < 3; c++) light[i][c] = to_2020[c][0] * r + to_2020[c][1] * g + to_2020[c][2] * b;
    light[i][3] = 1;
  }
  save_light(name, (const float(*)[4])light, width, height);
  NEED(image_pixelmap_create_from_copy(width, height, IMAGE_PIXEL_FORMAT_RGBA_F32, light, (size_t)width * height * 16,
                                       0, &map) == IMAGE_OK);
  NEED(image_pixelmap_set_cicp(map, 9, 8, 0, true) == IMAGE_OK);
  return map;
}

/* A sky with a sun of 1300 nits over dark ground, grain everywhere. */
static void scene(void) {
  enum { WIDTH = 480, HEIGHT = 320 };
  static float light[HEIGHT * WIDTH][4];
  uint32_t noise = 1;
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) {
      double u = x / (double)WIDTH, v = y / (double)HEIGHT;
      double sun = exp(-60 * ((u - 0.7) * (u - 0.7) + (v - 0.25) * (v - 0.25))) * 6;
      double wave = 0.5 + 0.5 * sin(u * 37) * cos(v * 29), sky = 0.4 + 0.5 * (1 - v);
      noise = noise * 1664525u + 1013904223u;
      double ground = (v > 0.6 ? 0.05 + 0.2 * wave : 1) * (1 + 0.12 * (noise / 4294967296.0 - 0.5));
      const double rgb[3] = {sky * 0.7 + sun, sky * 0.8 + sun * 0.9, sky + sun * 0.7};
      for (int c = 0; c < 3; c++) light[WIDTH * y + x][c] = (float)(rgb[c] * ground);
    }
  ImagePixelMap *map = map_of(light, WIDTH, HEIGHT, "scene");
  save(map, "image/jpeg", 95, "1", "scene_1.jpg");
  save(map, "image/jpeg", 95, "2", "scene_2.jpg");
  save(map, "image/jpeg", 95, "4", "scene_4.jpg");
  save(map, "image/avif", 95, "1", "scene_1.avif");
  image_pixelmap_release(map);
}

/* A photograph with highlights of 4.9 times white. */
static void photo(const char *path) {
  ImageSource *source = NULL;
  ImagePixelMap *pixels = NULL;
  uint32_t width, height;
  NEED(image_source_create_from_path(path, &source) == IMAGE_OK);
  NEED(image_source_create_pixelmap(source, 0, &pixels) == IMAGE_OK);
  NEED(image_pixelmap_get_size(pixels, &width, &height) == IMAGE_OK);
  size_t count = (size_t)width * height;
  uint8_t(*codes)[3] = malloc(count * 3);
  float(*light)[4] = malloc(count * 16);
  NEED(codes && light && image_pixelmap_read_pixels(pixels, codes, count * 3, 0) == IMAGE_OK);
  for (size_t i = 0; i < count; i++)
    for (int c = 0; c < 3; c++) {
      double signal = codes[i][c] / 255.0;
      double part = signal <= 0.04045 ? signal / 12.92 : pow((signal + 0.055) / 1.055, 2.4);
      light[i][c] = (float)(part * (1 + 3.9 * part * part));
    }
  ImagePixelMap *map = map_of(light, width, height, "photo");
  save(map, "image/jpeg", 95, "1", "photo_1.jpg");
  save(map, "image/jpeg", 95, "2", "photo_2.jpg");
  image_pixelmap_release(map);
  free(light);
  free(codes);
  image_pixelmap_release(pixels);
  image_source_release(source);
}

int main(int argc, char **argv) {
  NEED(argc > 2);
  folder = argv[1];
  NEED(mkdir(folder, 0777) == 0 || errno == EEXIST);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  scene();
  photo(argv[2]);
  image_packer_release(packer);
  return host_end("scenes");
}
