/* A batch of images in one array, as a model or a video decoder leaves them: 16 RGB images of 224 x 224, NHWC. All are
 * encoded on all cores, into one piece of memory with offsets. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 16, H = 224, W = 224, C = 3 };

int main(void) {
  static const int64_t shape[] = {N, H, W, C};
  ImagePacker *packer = NULL;
  ImageTensor *tensor = NULL;
  ImagePackingOptions *options = NULL;
  ImageBatch *batch = NULL;
  ImageData *bytes = NULL, *offsets = NULL;
  int failed = 1;
  uint8_t *images = malloc((size_t)N * H * W * C);
  if (!images) return 1;
  for (size_t i = 0; i < (size_t)N * H * W * C; i++) images[i] = (uint8_t)(i / C % W + i / (H * W * C) * 16);

  if (image_packer_create(&packer) == IMAGE_OK &&
      image_tensor_create_borrowed(images, (size_t)N * H * W * C, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_NHWC, shape, NULL,
                                   4, NULL, NULL, &tensor) == IMAGE_OK &&
      image_packing_options_create_preset(IMAGE_PRESET_CVCUDA_06PLUS, &options) == IMAGE_OK &&
      image_batch_create(packer, &batch) == IMAGE_OK && image_batch_add_tensor(batch, tensor, options) == IMAGE_OK &&
      image_batch_to_arena(batch) == IMAGE_OK && image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK &&
      image_batch_wait(batch, -1) == IMAGE_OK && /* the array must stay until here */
      image_batch_take_arena(batch, &bytes, &offsets) == IMAGE_OK) {
    const int64_t *at = (const int64_t *)(const void *)image_data_bytes(offsets);
    for (int i = 0; i < N; i++)
      printf("image %2d: %6lld bytes at %lld, %.0f us\n", i, (long long)(at[i + 1] - at[i]), (long long)at[i],
             (double)image_batch_get_time(batch, (size_t)i) / 1000);
    failed = (size_t)at[N] != image_data_size(bytes);
  } else {
    fprintf(stderr, "%s\n", image_packer_last_error_message());
  }
  image_data_release(bytes);
  image_data_release(offsets);
  image_batch_release(batch);
  image_packing_options_release(options);
  image_tensor_release(tensor);
  image_packer_release(packer);
  free(images);
  return failed;
}
