/* To a writer: the image goes wherever a callback takes it, here into a stream, and may be stopped on the way. */
#include <image_packer.h>
#include <stdio.h>

typedef struct {
  FILE *file;
  size_t bytes, limit;
} Stream;

static int32_t pass_on(void *user, const uint8_t *bytes, size_t size) {
  Stream *stream = user;
  if (stream->bytes + size > stream->limit) return 1; /* anything but 0 stops the pack */
  stream->bytes += size;
  return fwrite(bytes, 1, size, stream->file) == size ? 0 : 1;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "writer.jpg";
  static uint16_t rgb565[320 * 240];
  for (unsigned i = 0; i < 320 * 240; i++) rgb565[i] = (uint16_t)(i % 320 / 10 << 11 | i / 320 / 4 << 5 | 15);

  ImagePacker *packer = NULL;
  ImagePixelMap *pixels = NULL;
  ImagePackingOptions *options = NULL;
  Stream stream = {fopen(path, "wb"), 0, 1 << 20};
  int failed = 1;
  if (!stream.file) {
    perror(path);
    return 1;
  }
  if (image_packer_create(&packer) == IMAGE_OK &&
      image_pixelmap_create_from_copy(320, 240, IMAGE_PIXEL_FORMAT_RGB_565, rgb565, sizeof rgb565, 0, &pixels) ==
          IMAGE_OK &&
      image_packing_options_create("image/jpeg", 85, &options) == IMAGE_OK &&
      image_packer_pack_to_writer(packer, pixels, pass_on, &stream, options) == IMAGE_OK) {
    printf("%s: %zu bytes\n", path, stream.bytes);
    /* A writer that has had enough: an error with a cause, and nothing else happens. */
    stream.limit = stream.bytes;
    failed = image_packer_pack_to_writer(packer, pixels, pass_on, &stream, options) != IMAGE_ERROR_FAILED ||
             image_packer_last_error_cause() != IMAGE_CAUSE_WRITE;
    printf("stopped as asked: %s\n", image_packer_last_error_message());
  } else {
    fprintf(stderr, "%s: %s\n", path, image_packer_last_error_message());
  }
  image_packing_options_release(options);
  image_pixelmap_release(pixels);
  image_packer_release(packer);
  if (fclose(stream.file) != 0) failed = 1;
  return failed;
}
