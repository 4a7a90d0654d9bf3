/* A camera's HDR10 frame, P010 with PQ, becomes a JPEG with a gain map: SDR everywhere, HDR on screens that can.
 * With a second argument the frame itself is written there too. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 1280, HEIGHT = 720, SIZE = WIDTH * HEIGHT * 3 };

/* Luma and chroma of 10 bits, limited range, in the high bits of 16: a gray ramp from black to 1000 nits, its upper
 * half tinted. */
static uint16_t *capture(void) {
  uint16_t *frame = malloc(SIZE);
  if (!frame) return NULL;
  uint16_t *chroma = frame + WIDTH * HEIGHT;
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) frame[y * WIDTH + x] = (uint16_t)((64 + x * 659 / (WIDTH - 1)) << 6);
  for (int y = 0; y < HEIGHT / 2; y++)
    for (int x = 0; x < WIDTH; x += 2) {
      int tint = y < HEIGHT / 4 ? (x * 40 / WIDTH) : 0;
      chroma[y * WIDTH + x] = (uint16_t)((512 - tint) << 6);     /* Cb */
      chroma[y * WIDTH + x + 1] = (uint16_t)((512 + tint) << 6); /* Cr */
    }
  return frame;
}

static int save(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  int failed = !file || fwrite(bytes, 1, size, file) != size;
  if (file && fclose(file) != 0) failed = 1;
  if (failed) perror(path);
  return failed;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "hdr_camera.jpg";
  uint16_t *frame = capture();
  ImagePacker *packer = NULL;
  ImagePixelMap *pixels = NULL;
  ImagePackingOptions *options = NULL;
  ImageData *data = NULL;
  int failed = 1;
  if (frame && image_packer_create(&packer) == IMAGE_OK &&
      image_pixelmap_create_from_copy(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_YCBCR_P010, frame, SIZE, 0, &pixels) ==
          IMAGE_OK &&
      image_pixelmap_set_cicp(pixels, 9, 16, 9, false) == IMAGE_OK && /* BT.2020, PQ, limited range */
      image_packing_options_create("image/jpeg", 95, &options) == IMAGE_OK &&
      image_packing_options_set(options, "gain_map.scale", "2") == IMAGE_OK &&
      image_packer_pack_to_data(packer, pixels, options, &data) == IMAGE_OK) {
    failed = save(path, image_data_bytes(data), image_data_size(data));
    if (argc > 2 && save(argv[2], frame, SIZE)) failed = 1;
    if (!failed) printf("%s: %zu bytes\n", path, image_data_size(data));
  } else {
    fprintf(stderr, "%s: %s\n", path, frame ? image_packer_last_error_message() : "out of memory");
  }
  image_data_release(data);
  image_packing_options_release(options);
  image_pixelmap_release(pixels);
  image_packer_release(packer);
  free(frame);
  return failed;
}
