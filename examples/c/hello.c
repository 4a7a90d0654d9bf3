/* Ten lines from pixels to an image: a 6 x 4 gradient into hello.jpg. */
#include <image_packer.h>
#include <stdio.h>

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "hello.jpg";
  unsigned char rgba[6 * 4 * 4];
  for (int i = 0; i < 6 * 4; i++) {
    rgba[i * 4 + 0] = (unsigned char)(i % 6 * 51);
    rgba[i * 4 + 1] = (unsigned char)(i / 6 * 85);
    rgba[i * 4 + 2] = 128;
    rgba[i * 4 + 3] = 255;
  }

  ImagePacker *packer = NULL;
  ImagePixelMap *pixels = NULL;
  ImagePackingOptions *options = NULL;
  ImageData *data = NULL;
  int failed = 1;

  if (image_packer_create(&packer) == IMAGE_OK &&
      image_pixelmap_create_from_copy(6, 4, IMAGE_PIXEL_FORMAT_RGBA_8888, rgba, sizeof rgba, 0, &pixels) == IMAGE_OK &&
      image_packing_options_create("image/jpeg", 98, &options) == IMAGE_OK &&
      image_pixelmap_set_alpha_type(pixels, IMAGE_ALPHA_OPAQUE) == IMAGE_OK &&
      image_packer_pack_to_data(packer, pixels, options, &data) == IMAGE_OK) {
    FILE *file = fopen(path, "wb");
    failed = !file || fwrite(image_data_bytes(data), 1, image_data_size(data), file) != image_data_size(data);
    if (file && fclose(file) != 0) failed = 1;
    if (failed)
      perror(path);
    else
      printf("%s: %zu bytes\n", path, image_data_size(data));
  } else {
    fprintf(stderr, "%s\n", image_packer_last_error_message());
  }

  image_data_release(data);
  image_packing_options_release(options);
  image_pixelmap_release(pixels);
  image_packer_release(packer);
  return failed;
}
