/* From one file into another format: reencode IN OUT MIME [QUALITY]. The new file appears whole or not at all. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s IN OUT MIME [QUALITY]\n", argv[0]);
    return 2;
  }
  ImagePacker *packer = NULL;
  ImageSource *source = NULL;
  ImagePackingOptions *options = NULL;
  const char *from = "";
  uint32_t width = 0, height = 0;
  int failed = image_packer_create(&packer) != IMAGE_OK ||
               image_source_create_from_path(argv[1], &source) != IMAGE_OK ||
               image_source_get_format(source, &from) != IMAGE_OK ||
               image_source_get_size(source, &width, &height) != IMAGE_OK ||
               image_packing_options_create(argv[3], argc > 4 ? atoi(argv[4]) : 85, &options) != IMAGE_OK ||
               image_packer_pack_to_path_from_source(packer, source, argv[2], options) != IMAGE_OK;
  if (failed)
    fprintf(stderr, "%s: %s\n", argv[1], image_packer_last_error_message());
  else
    printf("%s (%s, %u x %u) -> %s (%s)\n", argv[1], from, (unsigned)width, (unsigned)height, argv[2], argv[3]);
  image_packing_options_release(options);
  image_source_release(source);
  image_packer_release(packer);
  return failed;
}
