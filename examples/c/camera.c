/* A camera's frame: NV12 in two planes with padded rows, borrowed from the driver and handed back when the library is
 * done with it. No conversion to RGB and no copy stands between the sensor and the JPEG. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 1280, HEIGHT = 720, STRIDE = 1344 };

typedef struct {
  uint8_t *luma, *chroma;
  int returned;
} Frame;

static void give_back(void *user) {
  Frame *frame = user;
  free(frame->luma);
  free(frame->chroma);
  frame->returned = 1;
}

static int capture(Frame *frame) {
  frame->returned = 0;
  frame->luma = malloc(STRIDE * HEIGHT);
  frame->chroma = malloc(STRIDE * HEIGHT / 2);
  if (!frame->luma || !frame->chroma) return 0;
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < STRIDE; x++) frame->luma[y * STRIDE + x] = (uint8_t)(16 + x * 219 / STRIDE);
  for (int y = 0; y < HEIGHT / 2; y++)
    for (int x = 0; x < STRIDE; x++) frame->chroma[y * STRIDE + x] = (uint8_t)(x % 2 ? 96 + y % 64 : 160 - y % 64);
  return 1;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "camera.jpg";
  Frame frame;
  if (!capture(&frame)) return 1;
  const void *planes[] = {frame.luma, frame.chroma};
  const size_t sizes[] = {STRIDE * HEIGHT, STRIDE * HEIGHT / 2}, strides[] = {STRIDE, STRIDE};

  ImagePacker *packer = NULL;
  ImagePixelMap *pixels = NULL;
  ImagePackingOptions *options = NULL;
  ImageData *data = NULL;
  int failed = 1;
  if (image_pixelmap_create_borrowed_planes(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_NV12, planes, sizes, strides, 2,
                                            give_back, &frame, &pixels) != IMAGE_OK) {
    fprintf(stderr, "%s: %s\n", path, image_packer_last_error_message());
    give_back(&frame); /* a creation that fails takes nothing over */
  } else if (image_pixelmap_set_cicp(pixels, 1, 1, 1, false) == IMAGE_OK && /* BT.709, limited range */
             image_packer_create(&packer) == IMAGE_OK &&
             image_packing_options_create("image/jpeg", 90, &options) == IMAGE_OK &&
             image_packing_options_set_effort(options, 1) == IMAGE_OK &&
             image_packer_pack_to_data(packer, pixels, options, &data) == IMAGE_OK) {
    FILE *file = fopen(path, "wb");
    failed = !file || fwrite(image_data_bytes(data), 1, image_data_size(data), file) != image_data_size(data);
    if (file && fclose(file) != 0) failed = 1;
    if (failed)
      perror(path);
    else
      printf("%s: %zu bytes\n", path, image_data_size(data));
  } else {
    fprintf(stderr, "%s: %s\n", path, image_packer_last_error_message());
  }
  image_data_release(data);
  image_packing_options_release(options);
  image_pixelmap_release(pixels);
  image_packer_release(packer);
  if (!frame.returned) {
    fprintf(stderr, "the frame did not come back\n");
    failed = 1;
  }
  return failed;
}
