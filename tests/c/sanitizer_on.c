/* Gives the library one byte less than it says: only a library that is watched notices, and the process must end. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  size_t size = 16 * 16 * 3;
  uint8_t *pixels = calloc(1, size - (argc > 1 ? 1 : 0));
  ImagePixelMap *map = NULL;
  (void)argv;
  ImageStatus status = image_pixelmap_create_from_copy(16, 16, IMAGE_PIXEL_FORMAT_RGB_888, pixels, size, 0, &map);
  image_pixelmap_release(map);
  free(pixels);
  return status != IMAGE_OK;
}
