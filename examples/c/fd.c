/* Into a file descriptor: a gray ramp into a file, all or nothing, and the descriptor stays the caller's. */
#include <fcntl.h>
#include <image_packer.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "fd.png";
  static unsigned char gray[256 * 64];
  for (int i = 0; i < 256 * 64; i++) gray[i] = (unsigned char)(i % 256);

  ImagePacker *packer = NULL;
  ImagePixelMap *pixels = NULL;
  ImagePackingOptions *options = NULL;
  int failed = 1;
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    perror(path);
    return 1;
  }
  /* The bytes are static: borrowing them needs no release callback. */
  if (image_packer_create(&packer) == IMAGE_OK &&
      image_pixelmap_create_borrowed(256, 64, IMAGE_PIXEL_FORMAT_GRAY_8, gray, sizeof gray, 0, NULL, NULL, &pixels) ==
          IMAGE_OK &&
      image_packing_options_create("image/png", 100, &options) == IMAGE_OK &&
      image_packer_pack_to_file(packer, pixels, fd, options) == IMAGE_OK) {
    printf("%s: %ld bytes\n", path, (long)lseek(fd, 0, SEEK_CUR));
    failed = 0;
  } else {
    fprintf(stderr, "%s: %s\n", path, image_packer_last_error_message());
  }
  image_packing_options_release(options);
  image_pixelmap_release(pixels);
  image_packer_release(packer);
  if (close(fd) != 0) failed = 1;
  return failed;
}
