/* Memory of jobs and batches: a hundred thousand small images leave nothing behind, and large ones stay within the
 * limit. Counted by this program's own malloc: resident memory would say as much about the C library's. */
#include "host.h"
#include "counted.h"

#include <stdatomic.h>

/* Bytes that are allocated when the workers, which have some, are gone. */
static long at_rest(void) {
  CHECK(host_is_alone(), "%d threads while nothing runs", host_threads());
  return __atomic_load_n(&held, __ATOMIC_RELAXED);
}

static void small(void) {
  enum { ROUNDS = 20, EACH = 5000 };
  static uint8_t pixels[16 * 16 * 3];
  int64_t shape[4] = {EACH, 16, 16, 3}, strides[4] = {0, 48, 3, 1}; /* the same image again and again */
  ImagePacker *packer = NULL;
  ImagePackingOptions *options = NULL;
  long before = 0;
  for (size_t i = 0; i < sizeof pixels; ++i) pixels[i] = (uint8_t)(i * i);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  NEED(image_packing_options_create_preset(IMAGE_PRESET_CVCUDA_06PLUS, &options) == IMAGE_OK);
  for (int round = 0; round < ROUNDS; ++round) {
    ImageTensor *tensor = NULL;
    ImageBatch *batch = NULL;
    ImageData *bytes = NULL, *offsets = NULL;
    NEED(image_tensor_create_borrowed(pixels, sizeof pixels, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_NHWC, shape, strides,
                                      4, NULL, NULL, &tensor) == IMAGE_OK);
    NEED(image_batch_create(packer, &batch) == IMAGE_OK);
    NEED(image_batch_add_tensor(batch, tensor, options) == IMAGE_OK);
    if (round % 2 == 0) NEED(image_batch_to_arena(batch) == IMAGE_OK);
    NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
    NEED(image_batch_wait(batch, -1) == IMAGE_OK);
    if (round % 2 == 0) NEED(image_batch_take_arena(batch, &bytes, &offsets) == IMAGE_OK);
    image_data_release(bytes);
    image_data_release(offsets);
    image_tensor_release(tensor);
    image_batch_release(batch);
    if (round == 0) before = at_rest();
  }
  long growth = at_rest() - before;
  printf("%d images of 16 x 16: %ld bytes more at the end than after %d\n", ROUNDS * EACH, growth, EACH);
  CHECK(growth < ROUNDS * EACH / 2, "%ld bytes", growth);
  image_packing_options_release(options);
  image_packer_release(packer);
}

static atomic_int failed;

static void drop(void *user, ImageStatus status, ImageData *data) {
  (void)user;
  if (status != IMAGE_OK) atomic_fetch_add(&failed, 1);
  image_data_release(data);
}

static void large(void) {
  enum { WIDTH = 4000, HEIGHT = 3000, JOBS = 14, LIMIT = 256 << 20 };
  static const struct {
    const char *format;
    int effort;
  } kinds[] = {{"image/jpeg", 1}, {"image/png", 1}, {"image/jpeg", 5}, {"image/webp", 1}};
  ImagePacker *packer = NULL;
  ImageJob *jobs[JOBS];
  NEED(image_packer_create(&packer) == IMAGE_OK);
  NEED(image_packer_set_threads(packer, 8) == IMAGE_OK);
  NEED(image_packer_set_memory_limit(packer, LIMIT) == IMAGE_OK);
  ImagePixelMap *map = host_picture(WIDTH, HEIGHT);
  ImagePackingOptions *options[4];
  for (int k = 0; k < 4; ++k) {
    NEED(image_packing_options_create(kinds[k].format, 75, &options[k]) == IMAGE_OK);
    NEED(image_packing_options_set_effort(options[k], kinds[k].effort) == IMAGE_OK);
  }
  ImageSource *source = NULL;
  HostBytes jpeg = host_expected(packer, map, options[0]);
  NEED(image_source_create_from_copy(jpeg.bytes, jpeg.size, &source) == IMAGE_OK);
  free(jpeg.bytes);
  long before = at_rest();
  most = before;
  for (int i = 0; i < JOBS; ++i)
    NEED((i % 3 == 0 ? image_packer_pack_to_data_from_source_async(packer, source, options[i % 4], drop, NULL, &jobs[i])
                     : image_packer_pack_to_data_async(packer, map, options[i % 4], drop, NULL, &jobs[i])) == IMAGE_OK);
  for (int i = 0; i < JOBS; ++i) {
    CHECK(image_job_wait(jobs[i], -1) == IMAGE_OK, "job %d", i);
    image_job_release(jobs[i]);
  }
  long peak = most - before;
  printf("%d jobs of 12 megapixels: at most %ld MiB more, with a limit of %d\n", JOBS, peak >> 20, LIMIT >> 20);
  CHECK(peak > LIMIT / 4 && peak <= LIMIT, "%ld MiB", peak >> 20);
  for (int k = 0; k < 4; ++k) image_packing_options_release(options[k]);
  image_pixelmap_release(map);
  image_source_release(source);
  image_packer_release(packer);
}

int main(void) {
  small();
  large();
  CHECK(failed == 0, "%d failed", failed);
  return host_end("memory of batches");
}
