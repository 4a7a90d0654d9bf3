/* A host that uses the system's libjpeg, libwebp and libpng itself: each side keeps its own, whichever came first. */
#include "host.h"

#include <dlfcn.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>
#include <webp/encode.h>

static void comes_from(const void *function, const char *library) {
  Dl_info place;
  NEED(dladdr(function, &place) != 0);
  CHECK(strstr(place.dli_fname, library) != NULL, "the host's %s comes from %s", library, place.dli_fname);
}

static ImageData *pack(ImagePacker *packer, const ImagePixelMap *map, const char *format) {
  ImagePackingOptions *options = host_options(format);
  ImageData *data = NULL;
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "%s", format);
  image_packing_options_release(options);
  return data;
}

int main(void) {
  ImagePacker *packer = NULL;
  ImagePixelMap *map = host_picture(200, 120);
  NEED(image_packer_create(&packer) == IMAGE_OK);

  /* A pointer to a function is data here, as POSIX has it. */
  union {
    int (*f)(j_decompress_ptr, boolean);
    const void *p;
  } jpeg = {jpeg_read_header};
  union {
    int (*f)(void);
    const void *p;
  } webp = {WebPGetEncoderVersion};
  union {
    png_uint_32 (*f)(void);
    const void *p;
  } png = {png_access_version_number};
  comes_from(jpeg.p, "libjpeg");
  comes_from(webp.p, "libwebp");
  comes_from(png.p, "libpng");

  for (int round = 0; round < 3; ++round) {
    /* The host's libjpeg reads our JPEG and writes one of its own. */
    ImageData *data = pack(packer, map, "image/jpeg");
    struct jpeg_decompress_struct in;
    struct jpeg_error_mgr errors;
    in.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&in);
    jpeg_mem_src(&in, image_data_bytes(data), (unsigned long)image_data_size(data));
    CHECK(jpeg_read_header(&in, TRUE) == JPEG_HEADER_OK && in.image_width == 200, "our JPEG in the host's libjpeg");
    jpeg_start_decompress(&in);
    unsigned char row[200 * 3], *rows[] = {row};
    while (in.output_scanline < in.output_height) jpeg_read_scanlines(&in, rows, 1);
    jpeg_finish_decompress(&in);
    jpeg_destroy_decompress(&in);
    image_data_release(data);

    struct jpeg_compress_struct made;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    made.err = jpeg_std_error(&errors);
    jpeg_create_compress(&made);
    jpeg_mem_dest(&made, &bytes, &size);
    made.image_width = 200, made.image_height = 3, made.input_components = 3, made.in_color_space = JCS_RGB;
    jpeg_set_defaults(&made);
    jpeg_start_compress(&made, TRUE);
    while (made.next_scanline < made.image_height) jpeg_write_scanlines(&made, rows, 1);
    jpeg_finish_compress(&made);
    jpeg_destroy_compress(&made);
    ImageSource *source = NULL;
    CHECK(image_source_create_from_copy(bytes, size, &source) == IMAGE_OK, "the host's JPEG here");
    image_source_release(source);
    free(bytes);

    /* And so with WebP and PNG. */
    if (image_packer_get_format_features("image/webp")) {
      int width = 0, height = 0;
      data = pack(packer, map, "image/webp");
      uint8_t *rgb = WebPDecodeRGB(image_data_bytes(data), image_data_size(data), &width, &height);
      CHECK(rgb && width == 200 && height == 120, "our WebP in the host's libwebp");
      WebPFree(rgb);
      image_data_release(data);
    }
    if (image_packer_get_format_features("image/png")) {
      png_image image;
      memset(&image, 0, sizeof image);
      image.version = PNG_IMAGE_VERSION;
      data = pack(packer, map, "image/png");
      CHECK(png_image_begin_read_from_memory(&image, image_data_bytes(data), image_data_size(data)) &&
                image.width == 200 && image.height == 120,
            "our PNG in the host's libpng: %s", image.message);
      png_image_free(&image);
      image_data_release(data);
    }
  }
  image_pixelmap_release(map);
  image_packer_release(packer);
  return host_end("system codecs");
}
