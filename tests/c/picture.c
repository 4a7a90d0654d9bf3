/* A picture with properties through the header alone: packed, read back, stripped of its place, edited in place. */
#include "host.h"

#include <math.h>

static uint8_t rgb[32 * 16 * 3];

static bool contains(const ImageData *data, const char *text) {
  const uint8_t *bytes = image_data_bytes(data);
  size_t size = image_data_size(data), length = strlen(text);
  for (size_t i = 0; i + length <= size; ++i)
    if (memcmp(bytes + i, text, length) == 0) return true;
  return false;
}

int main(void) {
  ImagePacker *packer = NULL;
  ImagePixelMap *pixels = NULL;
  ImagePicture *picture = NULL, *read = NULL, *properties = NULL;
  ImagePackingOptions *options = NULL;
  ImageReport *report = NULL;
  ImageData *data = NULL, *bare = NULL, *text = NULL, *edited = NULL;
  ImageSource *source = NULL;
  double north = 0, east = 0, up = 0;
  uint64_t bytes = 0;
  uint32_t orientation = 0;

  NEED(image_packer_create(&packer) == IMAGE_OK && image_report_create(&report) == IMAGE_OK);
  NEED(image_pixelmap_create_from_copy(32, 16, IMAGE_PIXEL_FORMAT_RGB_888, rgb, sizeof rgb, 0, &pixels) == IMAGE_OK);
  NEED(image_packing_options_create("image/jpeg", 90, &options) == IMAGE_OK);
  NEED(image_packing_options_set_needs_pack_properties(options, true) == IMAGE_OK);
  NEED(image_packing_options_set_report(options, report) == IMAGE_OK);
  CHECK(image_report_get_bytes(report, &bytes) == 401, "an empty report");
  CHECK(image_picture_create(pixels, &picture) == IMAGE_OK, "picture");
  CHECK(image_picture_set_property(picture, IMAGE_PROPERTY_MODEL, "Camera 5") == IMAGE_OK, "model");
  CHECK(image_picture_set_property(picture, IMAGE_PROPERTY_DATE, "yesterday") == 401, "a date that is none");
  CHECK(image_picture_set_property(picture, IMAGE_PROPERTY_DATE, "2024:13:06 07:08:09") == 401, "the thirteenth month");
  CHECK(image_picture_set_property(picture, IMAGE_PROPERTY_DATE, "2024:12:06 24:08:09") == 401, "the 25th hour");
  CHECK(image_picture_set_metadata(picture, IMAGE_METADATA_XMP, "\1\2", 2) == 401, "XMP that is none");
  CHECK(image_picture_set_gps(picture, 48.25, -11.5, NAN) == IMAGE_OK, "place");
  CHECK(image_picture_set_orientation(picture, 6) == IMAGE_OK, "orientation");
  CHECK(image_picture_set_orientation(picture, 9) == 401, "no orientation");

  CHECK(image_packer_pack_to_data_from_picture(packer, picture, options, &data) == IMAGE_OK, "pack");
  CHECK(image_report_get_bytes(report, &bytes) == IMAGE_OK && bytes == image_data_size(data), "report");
  CHECK(contains(data, "Camera 5"), "the model is in the file");

  NEED(image_source_create_from_copy(image_data_bytes(data), image_data_size(data), &source) == IMAGE_OK);
  CHECK(image_source_create_picture(source, &read) == IMAGE_OK, "a picture from a source");
  CHECK(image_picture_get_gps(read, &north, &east, &up) == IMAGE_OK, "place");
  CHECK(fabs(north - 48.25) < 1e-6 && fabs(east + 11.5) < 1e-6 && isnan(up), "%f %f %f", north, east, up);
  CHECK(image_picture_get_orientation(read, &orientation) == IMAGE_OK && orientation == 1, "it stands upright");
  CHECK(image_picture_get_property(read, IMAGE_PROPERTY_MODEL, &text) == IMAGE_OK, "model");
  CHECK(image_data_size(text) == 8 && memcmp(image_data_bytes(text), "Camera 5", 8) == 0, "model");

  /* Without the place. */
  NEED(image_packing_options_set_keep_gps(options, false) == IMAGE_OK);
  CHECK(image_packer_pack_to_data_from_picture(packer, read, options, &bare) == IMAGE_OK, "pack without the place");
  int32_t warning = 0;
  char line[200] = "";
  CHECK(image_report_get_warning(report, 0, &warning, line, sizeof line) == IMAGE_OK, "a warning");
  CHECK(warning == IMAGE_WARNING_GPS_REMOVED && line[0], "%d %s", (int)warning, line);
  CHECK(contains(bare, "Camera 5"), "the rest stays");

  /* A property changed in the file, no pixel touched. */
  CHECK(image_source_create_metadata(source, &properties) == IMAGE_OK, "metadata alone");
  CHECK(image_picture_set_property(properties, IMAGE_PROPERTY_COPYRIGHT, "(c) somebody") == IMAGE_OK, "copyright");
  CHECK(image_packer_edit_metadata_to_data(source, properties, &edited) == IMAGE_OK, "edit");
  CHECK(contains(edited, "(c) somebody") && contains(edited, "Camera 5"), "both are there");
  CHECK(memcmp(image_data_bytes(edited) + image_data_size(edited) - 200,
               image_data_bytes(data) + image_data_size(data) - 200, 200) == 0,
        "the same image data");
  CHECK(image_packer_edit_metadata_to_data(source, read, &edited) == 401, "a picture with pixels is not for editing");

  image_data_release(data);
  image_data_release(bare);
  image_data_release(text);
  image_data_release(edited);
  image_picture_release(picture);
  image_picture_release(read);
  image_picture_release(properties);
  image_source_release(source);
  image_report_release(report);
  image_packing_options_release(options);
  image_pixelmap_release(pixels);
  image_packer_release(packer);
  return host_end("picture");
}
