/* Packs in the background, with a callback at the end; a second pack is not wanted any more and is cancelled. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 2000, HEIGHT = 1500 };

/* Called once, on a thread of the library's. The image is ours. */
static void done(void *user, ImageStatus status, ImageData *data) {
  if (status == IMAGE_OK)
    printf("%s: %zu bytes\n", (const char *)user, image_data_size(data));
  else
    printf("%s: %d, %s\n", (const char *)user, status, image_packer_last_error_message());
  image_data_release(data);
}

int main(void) {
  ImagePacker *packer = NULL;
  ImagePixelMap *pixels = NULL;
  ImagePackingOptions *quick = NULL, *thorough = NULL;
  ImageJob *wanted = NULL, *unwanted = NULL;
  ImageStatus first = IMAGE_ERROR_FAILED, second = IMAGE_ERROR_FAILED;
  uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3);
  if (!rgb) return 1;
  for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++) rgb[i] = (uint8_t)(i / 3 % WIDTH / 8 + i % 3 * 20);

  if (image_packer_create(&packer) == IMAGE_OK &&
      image_pixelmap_create_from_copy(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGB_888, rgb, (size_t)WIDTH * HEIGHT * 3, 0,
                                      &pixels) == IMAGE_OK &&
      image_packing_options_create("image/jpeg", 80, &quick) == IMAGE_OK &&
      image_packing_options_create("image/webp", 80, &thorough) == IMAGE_OK &&
      image_packing_options_set_effort(thorough, 10) == IMAGE_OK &&
      image_packer_pack_to_data_async(packer, pixels, quick, done, "the JPEG", &wanted) == IMAGE_OK &&
      image_packer_pack_to_data_async(packer, pixels, thorough, done, "the WebP", &unwanted) == IMAGE_OK) {
    /* Jobs keep what they need. */
    image_pixelmap_release(pixels);
    pixels = NULL;
    image_job_cancel(unwanted);
    first = image_job_wait(wanted, -1);
    second = image_job_wait(unwanted, -1);
  } else {
    fprintf(stderr, "%s\n", image_packer_last_error_message());
  }
  image_job_release(wanted);
  image_job_release(unwanted);
  image_packing_options_release(quick);
  image_packing_options_release(thorough);
  image_pixelmap_release(pixels);
  image_packer_release(packer); /* with its jobs at an end, no thread is left */
  free(rgb);
  return first == IMAGE_OK && second == IMAGE_ERROR_CANCELLED ? 0 : 1;
}
