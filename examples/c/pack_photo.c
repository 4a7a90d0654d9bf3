/* A photograph into every format this machine can write: pack_photo PHOTO [FOLDER].
 *
 * Prints a table and leaves the images in FOLDER. Ends with 0 only if JPEG, PNG, WebP and HEIC were all made. */
#include <image_packer.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const MUST[] = {"image/jpeg", "image/png", "image/webp", "image/heic"};
enum { MUSTS = sizeof MUST / sizeof *MUST, RUNS = 3 };

static double now(void) {
  struct timespec time;
  timespec_get(&time, TIME_UTC);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int save(const char *folder, const char *format, const ImageData *data) {
  char path[4096];
  snprintf(path, sizeof path, "%s/photo.%s", folder, strchr(format, '/') + 1);
  FILE *file = fopen(path, "wb");
  if (!file) {
    perror(path);
    return 0;
  }
  size_t size = image_data_size(data);
  int ok = fwrite(image_data_bytes(data), 1, size, file) == size;
  return fclose(file) == 0 && ok;
}

/* One line of the table: the best of a few runs. */
static int pack(ImagePacker *packer, const ImagePixelMap *pixels, const char *format, const char *folder,
                double megapixels) {
  ImagePackingOptions *options = NULL;
  ImageData *data = NULL;
  double best = 0;
  int ok = image_packing_options_create(format, 80, &options) == IMAGE_OK;
  for (int run = 0; ok && run < RUNS; run++) {
    image_data_release(data);
    data = NULL;
    double start = now();
    ok = image_packer_pack_to_data(packer, pixels, options, &data) == IMAGE_OK;
    double taken = now() - start;
    if (run == 0 || taken < best) best = taken;
  }
  if (ok) {
    printf("%-12s %10zu %10.1f %10.1f\n", format, image_data_size(data), best, megapixels / best * 1e3);
    ok = save(folder, format, data);
  } else {
    printf("%-12s %s\n", format, image_packer_last_error_message());
  }
  image_data_release(data);
  image_packing_options_release(options);
  return ok;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s PHOTO [FOLDER]\n", argv[0]);
    return 2;
  }
  const char *folder = argc > 2 ? argv[2] : ".";
  ImagePacker *packer = NULL;
  ImageSource *source = NULL;
  ImagePixelMap *pixels = NULL;
  uint32_t width = 0, height = 0;
  int failed = 0, made[MUSTS] = {0};
  if (image_packer_create(&packer) != IMAGE_OK || image_source_create_from_path(argv[1], &source) != IMAGE_OK ||
      image_source_create_pixelmap(source, 0, &pixels) != IMAGE_OK ||
      image_pixelmap_get_size(pixels, &width, &height) != IMAGE_OK) {
    fprintf(stderr, "%s: %s\n", argv[1], image_packer_last_error_message());
    failed = 1;
  } else {
    printf("%s\n%s, %u x %u pixels, quality 80, default effort\n\n", image_packer_version_string(), argv[1],
           (unsigned)width, (unsigned)height);
    printf("%-12s %10s %10s %10s\n", "format", "bytes", "ms", "MP/s");
    const char *format;
    size_t formats = 0;
    for (; (format = image_packer_get_supported_format(formats)) != NULL; formats++) {
      int ok = pack(packer, pixels, format, folder, (double)width * height / 1e6);
      if (!ok) failed = 1;
      for (int must = 0; must < MUSTS; must++)
        if (strcmp(MUST[must], format) == 0) made[must] = ok;
    }
    for (int must = 0; must < MUSTS; must++) {
      if (made[must]) continue;
      ImagePackingOptions *options = NULL;
      failed = 1;
      if (image_packing_options_create(MUST[must], 80, &options) != IMAGE_OK)
        printf("\n%s is missing: %s\n", MUST[must], image_packer_last_error_message());
      image_packing_options_release(options);
    }
    if (failed)
      printf("\nNOT ALL FORMATS WERE PACKED\n");
    else
      printf("\nAll %zu formats packed\n", formats);
  }
  image_pixelmap_release(pixels);
  image_source_release(source);
  image_packer_release(packer);
  return failed;
}
