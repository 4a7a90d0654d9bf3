/* Rounding modes, flush-to-zero, traps, locales, signal masks, stdout and stderr: not our inputs and not our victims.
 */
#include "host.h"

#include <fenv.h>
#include <locale.h>
#include <sys/mman.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static HostBytes image;

static void same_bytes(const char *what) {
  ImageData *data = NULL;
  ImageSource *source = NULL;
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "%s", what);
  CHECK(image_data_size(data) == image.size && memcmp(image_data_bytes(data), image.bytes, image.size) == 0,
        "%s changes the bytes", what);
  image_data_release(data);
  if (!host_can_decode(image)) return;
  CHECK(image_source_create_from_copy(image.bytes, image.size, &source) == IMAGE_OK, "%s: source", what);
  data = NULL;
  CHECK(image_packer_pack_to_data_from_source(packer, source, options, &data) == IMAGE_OK, "%s: from source", what);
  image_data_release(data);
  image_source_release(source);
}

int main(void) {
  /* Everything that anybody prints from here on ends up where it can be counted. */
  int report = dup(STDOUT_FILENO), silence = memfd_create("printed", MFD_CLOEXEC);
  NEED(report >= 0 && silence >= 0);
  fflush(NULL);
  int real_stderr = dup(STDERR_FILENO);
  NEED(dup2(silence, STDOUT_FILENO) >= 0 && dup2(silence, STDERR_FILENO) >= 0);
  setenv("RUST_BACKTRACE", "1", 1);
  setenv("JPEGMEM", "1", 1);
  setenv("LIBPNG_VERBOSE", "1", 1);

  NEED(image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(333, 222);
  sigset_t mask_before, mask_after;
  sigemptyset(&mask_before);
  sigaddset(&mask_before, SIGUSR1);
  NEED(sigprocmask(SIG_SETMASK, &mask_before, NULL) == 0);
  for (size_t f = 0; image_packer_get_supported_format(f) != NULL; ++f) {
    const char *format = image_packer_get_supported_format(f);
    fesetenv(FE_DFL_ENV);
    options = host_options(format);
    image = host_expected(packer, map, options);
    const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
    for (size_t m = 0; m < sizeof modes / sizeof *modes; ++m) {
      NEED(fesetround(modes[m]) == 0);
      feclearexcept(FE_ALL_EXCEPT);
      same_bytes("rounding mode");
      CHECK(fegetround() == modes[m], "%s: rounding mode came back", format);
      CHECK(fetestexcept(FE_INVALID | FE_DIVBYZERO) == 0, "%s: flags came back", format);
    }
    fesetenv(FE_DFL_ENV);
#if defined(__x86_64__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* flush to zero, denormals are zero */
    same_bytes("flush to zero");
    CHECK((_mm_getcsr() & 0x8040) == 0x8040, "%s: flush to zero came back", format);
    _mm_setcsr(before);
#endif
#if defined(__GLIBC__)
    feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT);
    same_bytes("traps");
    CHECK(fegetexcept() == (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT), "traps came back");
    fedisableexcept(FE_ALL_EXCEPT);
    feclearexcept(FE_ALL_EXCEPT);
#endif
    const char *locales[] = {"C", "de_DE.UTF-8", "tr_TR.UTF-8", "C.UTF-8"};
    for (size_t l = 0; l < sizeof locales / sizeof *locales; ++l)
      if (setlocale(LC_ALL, locales[l]) != NULL) same_bytes("locale");
    setlocale(LC_ALL, "C");

    /* Failures are silent too. */
    ImageData *data = NULL;
    ImageSource *source = NULL;
    for (size_t cut = 0; cut < image.size; cut += image.size / 37 + 1) {
      uint8_t *broken = malloc(image.size);
      NEED(broken != NULL);
      memcpy(broken, image.bytes, image.size);
      for (size_t i = cut; i < image.size && i < cut + 9; ++i) broken[i] ^= (uint8_t)(0x55 + i);
      if (image_source_create_from_copy(broken, image.size - cut / 2, &source) == IMAGE_OK) {
        data = NULL;
        if (image_packer_pack_to_data_from_source(packer, source, options, &data) == IMAGE_OK) image_data_release(data);
        image_source_release(source);
      }
      free(broken);
    }
    free(image.bytes);
    image_packing_options_release(options);
  }
  NEED(sigprocmask(SIG_SETMASK, NULL, &mask_after) == 0);
  for (int signal = 1; signal < 32; ++signal)
    CHECK(sigismember(&mask_before, signal) == sigismember(&mask_after, signal), "signal %d in the mask", signal);
  image_pixelmap_release(map);
  image_packer_release(packer);

  fflush(NULL);
  int failures = host_failures;
  off_t printed = lseek(silence, 0, SEEK_END);
  NEED(dup2(report, STDOUT_FILENO) >= 0 && dup2(real_stderr, STDERR_FILENO) >= 0);
  host_failures = failures;
  if (printed != 0) {
    char text[2000];
    ssize_t got = pread(silence, text, sizeof text, 0);
    fprintf(stderr, "printed: %.*s\n", got < 0 ? 0 : (int)got, text);
  }
  CHECK(printed == 0, "%ld bytes were printed", (long)printed);
  return host_end("environment");
}
