/* High dynamic range through the header alone: two renditions become one JPEG, which becomes HDR pixels again, and they
 * a PNG with the signal. */
#include "host.h"

#include <math.h>

enum { WIDTH = 64, HEIGHT = 32 };
static uint8_t sdr[WIDTH * HEIGHT * 3];
static float hdr[WIDTH * HEIGHT * 4], back[WIDTH * HEIGHT * 4];

/* A ramp from black to eight times diffuse white, more of it in red; the SDR one rises to white at its quarter. */
static void draw(void) {
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    for (int c = 0; c < 3; c++) {
      double light = 8.0 * (i % WIDTH) / (WIDTH - 1) * (c == 0 ? 1 : 0.5), dark = fmin(light / (c == 0 ? 2 : 1.5), 1);
      hdr[4 * i + c] = (float)light;
      hdr[4 * i + 3] = 1;
      sdr[3 * i + c] = (uint8_t)lround(255 * (dark <= 0.0031308 ? 12.92 * dark : 1.055 * pow(dark, 1 / 2.4) - 0.055));
    }
}

static float channel(int x, int c) { return back[4 * (WIDTH * (HEIGHT / 2) + x) + c]; }

int main(void) {
  ImagePacker *packer = NULL;
  ImagePixelMap *main_image = NULL, *bright = NULL, *same = NULL, *made = NULL;
  ImagePicture *picture = NULL, *read = NULL;
  ImagePackingOptions *options = NULL;
  ImageData *data = NULL, *png = NULL;
  ImageSource *source = NULL;
  float alternate = 0, min[3], max[3];
  int32_t format = 0;

  draw();
  NEED(image_packer_create(&packer) == IMAGE_OK);
  NEED(image_packing_options_create("image/jpeg", 97, &options) == IMAGE_OK);
  NEED(image_pixelmap_create_from_copy(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGB_888, sdr, sizeof sdr, 0, &main_image) ==
       IMAGE_OK);
  NEED(image_pixelmap_create_from_copy(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGBA_F32, hdr, sizeof hdr, 0, &bright) ==
       IMAGE_OK);
  NEED(image_picture_create(main_image, &picture) == IMAGE_OK);

  CHECK(image_picture_get_hdr_rendition(picture, &same) == IMAGE_OK && !same, "none yet");
  CHECK(image_picture_create_hdr_pixelmap(picture, IMAGE_PIXEL_FORMAT_RGBA_F32, 2, &made) == 401, "no gain map");
  CHECK(image_picture_set_hdr_rendition(picture, bright) == IMAGE_OK, "rendition");
  CHECK(image_picture_get_hdr_rendition(picture, &same) == IMAGE_OK && same, "the rendition that was set");
  CHECK(image_packer_pack_to_data_from_picture(packer, picture, options, &data) == 401 &&
            strstr(image_packer_last_error_message(), "is not HDR"),
        "floats of sRGB's transfer: %s", image_packer_last_error_message());
  NEED(image_pixelmap_set_cicp(bright, 1, 8, 0, true) == IMAGE_OK); /* sRGB's primaries, linear */
  CHECK(image_packer_pack_to_data_from_picture(packer, picture, options, &data) == IMAGE_OK, "pack: %s",
        image_packer_last_error_message());

  NEED(image_source_create_from_copy(image_data_bytes(data), image_data_size(data), &source) == IMAGE_OK);
  CHECK(image_source_create_picture(source, &read) == IMAGE_OK, "read");
  CHECK(image_picture_get_gain_map_params(read, NULL, &alternate, min, max, NULL, NULL, NULL, NULL) == IMAGE_OK,
        "parameters");
  CHECK(fabsf(alternate - 3) < 0.1f && max[0] < 3.2f && max[1] < 2.2f, "headroom %f, gains %f %f", alternate, max[0],
        max[1]);

  for (float stops = 0; stops < 4; stops++) {
    CHECK(image_picture_create_hdr_pixelmap(read, IMAGE_PIXEL_FORMAT_RGBA_F32, stops, &made) == IMAGE_OK, "apply: %s",
          image_packer_last_error_message());
    NEED(image_pixelmap_read_pixels(made, back, sizeof back, 0) == IMAGE_OK);
    /* BT.2020's white is sRGB's. */
    float light = channel(0, 1), expected = 0;
    CHECK(light < 0.02f, "black at %g stops is %f", stops, light);
    /* Red in BT.2020 of sRGB's (ITU-R BT.2087). */
    light = channel(WIDTH - 1, 0), expected = 0.6274f * 8 + 0.3293f * 4 + 0.0433f * 4;
    if (stops >= 3) CHECK(fabsf(light / expected - 1) < 0.04f, "red at %g stops is %f, not %f", stops, light, expected);
    if (stops == 0) CHECK(fabsf(light - 1) < 0.02f, "white without the map is %f", light);
    CHECK(image_pixelmap_release(made) == IMAGE_OK, "release");
  }
  CHECK(image_picture_create_hdr_pixelmap(read, IMAGE_PIXEL_FORMAT_RGBA_F32, -1, &made) == 401, "below SDR");
  CHECK(image_picture_create_hdr_pixelmap(read, IMAGE_PIXEL_FORMAT_RGB_888, 2, &made) == 401, "8 bits");
  CHECK(image_picture_create_hdr_pixelmap(read, IMAGE_PIXEL_FORMAT_RGBA_1010102, INFINITY, &made) == IMAGE_OK, "PQ");
  CHECK(image_pixelmap_get_format(made, &format) == IMAGE_OK && format == IMAGE_PIXEL_FORMAT_RGBA_1010102, "format");

  /* Both at once say two things; a removed rendition says nothing. */
  CHECK(image_picture_set_hdr_rendition(read, bright) == IMAGE_OK, "rendition beside a gain map");
  CHECK(image_packer_pack_to_data_from_picture(packer, read, options, &png) == 401, "both");
  CHECK(image_picture_set_hdr_rendition(read, NULL) == IMAGE_OK, "without it");
  NEED(image_packing_options_set_format(options, "image/png") == IMAGE_OK);
  NEED(image_packing_options_set(options, "hdr.form", "signal") == IMAGE_OK);
  CHECK(image_packer_pack_to_data_from_picture(packer, read, options, &png) == IMAGE_OK, "PNG");
  const uint8_t *bytes = image_data_bytes(png);
  CHECK(memcmp(bytes + 37, "cICP\x09\x10\x00\x01", 8) == 0, "the first chunk names BT.2020 and PQ");

  image_data_release(data);
  image_data_release(png);
  image_source_release(source);
  image_picture_release(picture);
  image_picture_release(read);
  image_pixelmap_release(main_image);
  image_pixelmap_release(bright);
  image_pixelmap_release(same);
  image_pixelmap_release(made);
  image_packing_options_release(options);
  image_packer_release(packer);
  return host_end("hdr");
}
