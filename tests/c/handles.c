/* Every function of the header with NULL, garbage, a handle of another type, a released handle and one released by
 * another thread in the middle of a pack: the documented code, a cause, a sentence, and no output touched.
 *
 * The argument is abi/symbols.txt: a function without a row here fails the test. */
#include "host.h"

#include <pthread.h>

enum {
  PACKER = 1,
  PIXELMAP = 2,
  SOURCE = 4,
  OPTIONS = 8,
  DATA = 16,
  PICTURE = 32,
  REPORT = 64,
  JOB = 128,
  TENSOR = 256,
  BATCH = 512,
  ANIMATION = 1024,
  SEQUENCE = 2048,
  KINDS = 12
};

typedef struct {
  ImagePacker *packer;
  ImagePixelMap *pixelmap;
  ImageSource *source;
  ImagePackingOptions *options;
  ImageData *data;
  ImagePicture *picture;
  ImageReport *report;
  ImageJob *job;
  ImageTensor *tensor;
  ImageBatch *batch;
  ImageSequenceOptions *animation;
  ImageSequence *sequence;
} Handles;

/* Everything that a call could write. */
typedef struct {
  ImagePacker *packer;
  ImagePixelMap *pixelmap;
  ImageSource *source;
  ImagePackingOptions *options;
  ImageData *data;
  ImagePicture *picture;
  ImageReport *report;
  ImageJob *job;
  ImageTensor *tensor;
  ImageBatch *batch;
  ImageData *offsets;
  ImageSequenceOptions *animation;
  ImageSequence *sequence;
  ImageStatus statuses[1];
  float numbers[17];
  double x_dpi, y_dpi, altitude;
  uint64_t size64;
  char line[256];
  uint8_t *bytes;
  const char *text;
  size_t size, count;
  uint32_t width, height;
  int32_t number;
  bool flag;
  uint8_t pixels[256];
} Outputs;

static Outputs out;
static int fd;
static char path[64];
static uint8_t rgb[8 * 8 * 3];
static HostBytes jpeg;

static int32_t take(void *user, const uint8_t *bytes, size_t size) {
  (void)user, (void)bytes, (void)size;
  return 0;
}
static int32_t progress(void *user, uint32_t done) {
  (void)user, (void)done;
  return 0;
}
static int32_t read_jpeg(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size) {
  (void)user;
  size_t left = offset < jpeg.size ? jpeg.size - (size_t)offset : 0;
  *size = left < capacity ? left : capacity;
  memcpy(buffer, jpeg.bytes + (left ? offset : 0), *size);
  return 0;
}

/* Functions without a status say "failed" by a value; the reason is the thread's last error. */
#define VALUE(failed) ((failed) ? image_packer_last_error_status() : IMAGE_OK)
#define ALWAYS(holds) ((holds) ? IMAGE_OK : -1)
#define FORMAT IMAGE_PIXEL_FORMAT_RGB_888

/* ROW(function, handles it takes, status for a bad one, a call that is right when the handles are) */
/* clang-format off */
#define FUNCTIONS(ROW)                                                                                               \
  ROW(image_packer_version, 0, 401, ALWAYS(image_packer_version() == IMAGE_PACKER_VERSION))                          \
  ROW(image_packer_version_string, 0, 401, ALWAYS(image_packer_version_string()[0]))                                 \
  ROW(image_status_text, 0, 401, ALWAYS(image_status_text(12345)[0]))                                                \
  ROW(image_packer_last_error_message, 0, 401, ALWAYS(image_packer_last_error_message() != NULL))                    \
  ROW(image_packer_last_error_status, 0, 401, ALWAYS(image_packer_last_error_status() != -1))                        \
  ROW(image_packer_last_error_cause, 0, 401, ALWAYS(image_packer_last_error_cause() != -1))                          \
  ROW(image_packer_set_log, 0, 401, image_packer_set_log(NULL, NULL, 1))                                             \
  ROW(image_packer_get_supported_format, 0, 401, ALWAYS(image_packer_get_supported_format(0)))                       \
  ROW(image_packer_get_format_features, 0, 401, ALWAYS(image_packer_get_format_features("image/jpeg")))              \
  ROW(image_packer_get_setting, 0, 401, ALWAYS(!image_packer_get_setting("image/jpeg", 1000)))                       \
  ROW(image_packer_create, 0, 401, image_packer_create(&out.packer))                                                 \
  ROW(image_pixelmap_create, 0, 401, image_pixelmap_create(3, 3, FORMAT, &out.pixelmap))                             \
  ROW(image_pixelmap_create_from_copy, 0, 401,                                                                       \
      image_pixelmap_create_from_copy(8, 8, FORMAT, rgb, sizeof rgb, 0, &out.pixelmap))                            \
  ROW(image_pixelmap_create_borrowed, 0, 401,                                                                        \
      image_pixelmap_create_borrowed(8, 8, FORMAT, rgb, sizeof rgb, 0, NULL, NULL, &out.pixelmap))                 \
  ROW(image_pixelmap_create_borrowed_planes, 0, 401, borrow_planes())                                                \
  ROW(image_source_create_from_copy, 0, 401, image_source_create_from_copy(jpeg.bytes, jpeg.size, &out.source))      \
  ROW(image_source_create_borrowed, 0, 401,                                                                          \
      image_source_create_borrowed(jpeg.bytes, jpeg.size, NULL, NULL, &out.source))                                  \
  ROW(image_source_create_from_fd, 0, 401, image_source_create_from_fd(fd, &out.source))                             \
  ROW(image_source_create_from_path, 0, 401, image_source_create_from_path(path, &out.source))                       \
  ROW(image_source_create_from_reader, 0, 401, image_source_create_from_reader(read_jpeg, NULL, NULL, &out.source))  \
  ROW(image_packing_options_create, 0, 401, image_packing_options_create("image/jpeg", 9, &out.options))             \
  ROW(image_data_bytes, DATA, 401, VALUE(!image_data_bytes(h.data)))                                                 \
  ROW(image_data_size, DATA, 401, VALUE(!image_data_size(h.data)))                                                   \
  ROW(image_data_take, DATA, 401, image_data_take(h.data, &out.bytes, &out.size))                                    \
  ROW(image_data_release, DATA, 401, image_data_release(h.data))                                                     \
  ROW(image_pixelmap_get_size, PIXELMAP, 401, image_pixelmap_get_size(h.pixelmap, &out.width, &out.height))          \
  ROW(image_pixelmap_get_format, PIXELMAP, 401, image_pixelmap_get_format(h.pixelmap, &out.number))                  \
  ROW(image_pixelmap_read_pixels, PIXELMAP, 401, image_pixelmap_read_pixels(h.pixelmap, out.pixels, 256, 0))         \
  ROW(image_pixelmap_write_pixels, PIXELMAP, 401, image_pixelmap_write_pixels(h.pixelmap, rgb, sizeof rgb, 0))             \
  ROW(image_pixelmap_set_alpha_type, PIXELMAP, 401, image_pixelmap_set_alpha_type(h.pixelmap, IMAGE_ALPHA_OPAQUE))   \
  ROW(image_pixelmap_set_cicp, PIXELMAP, 401, image_pixelmap_set_cicp(h.pixelmap, 1, 13, 0, true))                   \
  ROW(image_pixelmap_set_icc_profile, PIXELMAP, 401, image_pixelmap_set_icc_profile(h.pixelmap, NULL, 0))            \
  ROW(image_pixelmap_set_content_light_level, PIXELMAP, 401,                                                         \
      image_pixelmap_set_content_light_level(h.pixelmap, 1000, 400))                                                 \
  ROW(image_pixelmap_get_content_light_level, PIXELMAP, 401,                                                         \
      image_pixelmap_get_content_light_level(h.pixelmap, NULL, NULL))                                                \
  ROW(image_pixelmap_set_mastering_display, PIXELMAP, 401,                                                           \
      image_pixelmap_set_mastering_display(h.pixelmap, NULL, NULL, 0, 0))                                            \
  ROW(image_pixelmap_get_mastering_display, PIXELMAP, 401,                                                           \
      image_pixelmap_get_mastering_display(h.pixelmap, NULL, NULL, &out.width, &out.height))                         \
  ROW(image_pixelmap_release, PIXELMAP, 401, image_pixelmap_release(h.pixelmap))                                     \
  ROW(image_source_get_format, SOURCE, 401, image_source_get_format(h.source, &out.text))                            \
  ROW(image_source_get_size, SOURCE, 401, image_source_get_size(h.source, &out.width, &out.height))                  \
  ROW(image_source_get_frame_count, SOURCE, 401, image_source_get_frame_count(h.source, &out.count))                 \
  ROW(image_source_create_pixelmap, SOURCE, 401, image_source_create_pixelmap(h.source, 0, &out.pixelmap))           \
  ROW(image_source_release, SOURCE, 401, image_source_release(h.source))                                             \
  ROW(image_packing_options_copy, OPTIONS, 401, image_packing_options_copy(h.options, &out.options))                 \
  ROW(image_packing_options_set_format, OPTIONS, 401, image_packing_options_set_format(h.options, "image/jpeg"))     \
  ROW(image_packing_options_set_quality, OPTIONS, 401, image_packing_options_set_quality(h.options, 50))             \
  ROW(image_packing_options_set_buffer_size, OPTIONS, 401, image_packing_options_set_buffer_size(h.options, 10))     \
  ROW(image_packing_options_set_max_bytes, OPTIONS, 401, image_packing_options_set_max_bytes(h.options, 30000))      \
  ROW(image_packing_options_set_dynamic_range, OPTIONS, 401,                                                         \
      image_packing_options_set_dynamic_range(h.options, IMAGE_DYNAMIC_RANGE_SDR))                                   \
  ROW(image_packing_options_set_needs_pack_properties, OPTIONS, 401,                                                 \
      image_packing_options_set_needs_pack_properties(h.options, true))                                              \
  ROW(image_packing_options_set_color, OPTIONS, 401, image_packing_options_set_color(h.options, IMAGE_COLOR_KEEP))    \
  ROW(image_packing_options_set_keep_gps, OPTIONS, 401, image_packing_options_set_keep_gps(h.options, false))        \
  ROW(image_packing_options_set_max_embed_thumbnail, OPTIONS, 401,                                                   \
      image_packing_options_set_max_embed_thumbnail(h.options, 160))                                                 \
  ROW(image_packing_options_set_report, OPTIONS, 401, image_packing_options_set_report(h.options, NULL))             \
  ROW(image_report_create, 0, 401, image_report_create(&out.report))                                                 \
  ROW(image_report_get_bytes, REPORT, 401, image_report_get_bytes(h.report, &out.size64))                            \
  ROW(image_report_get_size, REPORT, 401, image_report_get_size(h.report, &out.width, &out.height))                  \
  ROW(image_report_get_quality, REPORT, 401, image_report_get_quality(h.report, &out.number))                        \
  ROW(image_report_get_format, REPORT, 401, image_report_get_format(h.report, &out.text))                            \
  ROW(image_report_get_codec, REPORT, 401, image_report_get_codec(h.report, out.line, sizeof out.line))              \
  ROW(image_report_get_warning_count, REPORT, 401, image_report_get_warning_count(h.report, &out.count))             \
  ROW(image_report_get_warning, REPORT, 401,                                                                         \
      image_report_get_warning(h.report, 0, &out.number, out.line, sizeof out.line))                                 \
  ROW(image_report_release, REPORT, 401, image_report_release(h.report))                                             \
  ROW(image_picture_create, PIXELMAP, 401, image_picture_create(h.pixelmap, &out.picture))                           \
  ROW(image_picture_get_main, PICTURE, 401, image_picture_get_main(h.picture, &out.pixelmap))                        \
  ROW(image_picture_set_auxiliary, PICTURE, 401,                                                                     \
      image_picture_set_auxiliary(h.picture, IMAGE_AUXILIARY_DEPTH_MAP, NULL))                                       \
  ROW(image_picture_get_auxiliary, PICTURE, 401,                                                                     \
      image_picture_get_auxiliary(h.picture, IMAGE_AUXILIARY_DEPTH_MAP, &out.pixelmap))                              \
  ROW(image_picture_set_hdr_rendition, PICTURE, 401, image_picture_set_hdr_rendition(h.picture, NULL))               \
  ROW(image_picture_get_hdr_rendition, PICTURE, 401, image_picture_get_hdr_rendition(h.picture, &out.pixelmap))      \
  ROW(image_picture_create_hdr_pixelmap, PICTURE, 401, apply_map(h.picture))                                         \
  ROW(image_picture_set_gain_map_params, PICTURE, 401, set_params(h.picture))                                        \
  ROW(image_picture_get_gain_map_params, PICTURE, 401, get_params(h.picture))                                        \
  ROW(image_picture_set_metadata, PICTURE, 401, image_picture_set_metadata(h.picture, IMAGE_METADATA_XMP, "<x/>", 4)) \
  ROW(image_picture_get_metadata, PICTURE, 401,                                                                      \
      image_picture_get_metadata(h.picture, IMAGE_METADATA_EXIF, &out.data))                                         \
  ROW(image_picture_set_density, PICTURE, 401, image_picture_set_density(h.picture, 300, 300))                       \
  ROW(image_picture_get_density, PICTURE, 401, image_picture_get_density(h.picture, &out.x_dpi, &out.y_dpi))         \
  ROW(image_source_create_picture, SOURCE, 401, image_source_create_picture(h.source, &out.picture))                 \
  ROW(image_source_create_metadata, SOURCE, 401, image_source_create_metadata(h.source, &out.picture))               \
  ROW(image_picture_set_property, PICTURE, 401,                                                                      \
      image_picture_set_property(h.picture, IMAGE_PROPERTY_MAKE, "Maker"))                                           \
  ROW(image_picture_get_property, PICTURE, 401,                                                                      \
      image_picture_get_property(h.picture, IMAGE_PROPERTY_MAKE, &out.data))                                         \
  ROW(image_picture_set_orientation, PICTURE, 401, image_picture_set_orientation(h.picture, 6))                      \
  ROW(image_picture_get_orientation, PICTURE, 401, image_picture_get_orientation(h.picture, &out.width))             \
  ROW(image_picture_set_gps, PICTURE, 401, image_picture_set_gps(h.picture, 48, 11, 520))                            \
  ROW(image_picture_get_gps, PICTURE, 401, image_picture_get_gps(h.picture, &out.x_dpi, &out.y_dpi, &out.altitude))  \
  ROW(image_picture_get_provenance, PICTURE, 401, image_picture_get_provenance(h.picture, &out.flag))                \
  ROW(image_picture_remove_gps, PICTURE, 401, image_picture_remove_gps(h.picture))                                   \
  ROW(image_packer_edit_metadata_to_data, SOURCE | PICTURE, 401, edit(h.source, h.picture, &out.data, -1, NULL))     \
  ROW(image_packer_edit_metadata_to_file, SOURCE | PICTURE, 401, edit(h.source, h.picture, NULL, fd, NULL))          \
  ROW(image_packer_edit_metadata_to_path, SOURCE | PICTURE, 401, edit(h.source, h.picture, NULL, -1, path))          \
  ROW(image_picture_release, PICTURE, 401, image_picture_release(h.picture))                                         \
  ROW(image_packer_pack_to_data_from_picture, PACKER | PICTURE | OPTIONS, 401,                                       \
      image_packer_pack_to_data_from_picture(h.packer, h.picture, h.options, &out.data))                             \
  ROW(image_packer_pack_to_file_from_picture, PACKER | PICTURE | OPTIONS, 401,                                       \
      image_packer_pack_to_file_from_picture(h.packer, h.picture, fd, h.options))                                    \
  ROW(image_packer_pack_to_path_from_picture, PACKER | PICTURE | OPTIONS, 401,                                       \
      image_packer_pack_to_path_from_picture(h.packer, h.picture, path, h.options))                                  \
  ROW(image_packer_pack_to_writer_from_picture, PACKER | PICTURE | OPTIONS, 401,                                     \
      image_packer_pack_to_writer_from_picture(h.packer, h.picture, take, NULL, h.options))                          \
  ROW(image_packing_options_set_effort, OPTIONS, 401, image_packing_options_set_effort(h.options, 2))                \
  ROW(image_packing_options_set_lossless, OPTIONS, 401, image_packing_options_set_lossless(h.options, false))        \
  ROW(image_packing_options_set_background, OPTIONS, 401, image_packing_options_set_background(h.options, 0xFF8000)) \
  ROW(image_packing_options_set_subsampling, OPTIONS, 401,                                                           \
      image_packing_options_set_subsampling(h.options, IMAGE_SUBSAMPLING_444))                                       \
  ROW(image_packing_options_set_density, OPTIONS, 401, image_packing_options_set_density(h.options, 300, 300))       \
  ROW(image_packing_options_set_tail, OPTIONS, 401, image_packing_options_set_tail(h.options, IMAGE_TAIL_KEEP))      \
  ROW(image_packing_options_set_sync, OPTIONS, 401, image_packing_options_set_sync(h.options, false))                \
  ROW(image_packing_options_set, OPTIONS, 401, a_setting(h.options))                                                 \
  ROW(image_packing_options_set_progress, OPTIONS, 401,                                                              \
      image_packing_options_set_progress(h.options, progress, NULL))                                                 \
  ROW(image_packing_options_release, OPTIONS, 401, image_packing_options_release(h.options))                         \
  ROW(image_packer_release, PACKER, 401, image_packer_release(h.packer))                                             \
  ROW(image_packer_set_threads, PACKER, 401, image_packer_set_threads(h.packer, 1))                                  \
  ROW(image_packer_set_max_pixels, PACKER, 401, image_packer_set_max_pixels(h.packer, 1 << 20))                      \
  ROW(image_packer_set_memory_limit, PACKER, 401, image_packer_set_memory_limit(h.packer, 0))                        \
  ROW(image_packer_pack_to_data, PACKER | PIXELMAP | OPTIONS, 401,                                                   \
      image_packer_pack_to_data(h.packer, h.pixelmap, h.options, &out.data))                                         \
  ROW(image_packer_pack_to_data_from_source, PACKER | SOURCE | OPTIONS, 401,                                         \
      image_packer_pack_to_data_from_source(h.packer, h.source, h.options, &out.data))                               \
  ROW(image_packer_pack_to_file, PACKER | PIXELMAP | OPTIONS, 62980115,                                              \
      image_packer_pack_to_file(h.packer, h.pixelmap, fd, h.options))                                                \
  ROW(image_packer_pack_to_file_from_source, PACKER | SOURCE | OPTIONS, 62980115,                                    \
      image_packer_pack_to_file_from_source(h.packer, h.source, fd, h.options))                                      \
  ROW(image_packer_pack_to_path, PACKER | PIXELMAP | OPTIONS, 62980115,                                              \
      image_packer_pack_to_path(h.packer, h.pixelmap, path, h.options))                                              \
  ROW(image_packer_pack_to_path_from_source, PACKER | SOURCE | OPTIONS, 62980115,                                    \
      image_packer_pack_to_path_from_source(h.packer, h.source, path, h.options))                                    \
  ROW(image_packer_pack_to_writer, PACKER | PIXELMAP | OPTIONS, 401,                                                 \
      image_packer_pack_to_writer(h.packer, h.pixelmap, take, NULL, h.options))                                      \
  ROW(image_packer_pack_to_writer_from_source, PACKER | SOURCE | OPTIONS, 401,                                       \
      image_packer_pack_to_writer_from_source(h.packer, h.source, take, NULL, h.options)) \
  ROW(image_packer_pack_to_data_async, PACKER | PIXELMAP | OPTIONS, 401, \
      image_packer_pack_to_data_async(h.packer, h.pixelmap, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_file_async, PACKER | PIXELMAP | OPTIONS, 62980115, \
      image_packer_pack_to_file_async(h.packer, h.pixelmap, fd, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_path_async, PACKER | PIXELMAP | OPTIONS, 62980115, \
      image_packer_pack_to_path_async(h.packer, h.pixelmap, path, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_writer_async, PACKER | PIXELMAP | OPTIONS, 401, \
      image_packer_pack_to_writer_async(h.packer, h.pixelmap, take, NULL, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_data_from_source_async, PACKER | SOURCE | OPTIONS, 401, \
      image_packer_pack_to_data_from_source_async(h.packer, h.source, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_file_from_source_async, PACKER | SOURCE | OPTIONS, 62980115, \
      image_packer_pack_to_file_from_source_async(h.packer, h.source, fd, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_path_from_source_async, PACKER | SOURCE | OPTIONS, 62980115, \
      image_packer_pack_to_path_from_source_async(h.packer, h.source, path, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_writer_from_source_async, PACKER | SOURCE | OPTIONS, 401, \
      image_packer_pack_to_writer_from_source_async(h.packer, h.source, take, NULL, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_data_from_picture_async, PACKER | PICTURE | OPTIONS, 401, \
      image_packer_pack_to_data_from_picture_async(h.packer, h.picture, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_file_from_picture_async, PACKER | PICTURE | OPTIONS, 401, \
      image_packer_pack_to_file_from_picture_async(h.packer, h.picture, fd, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_path_from_picture_async, PACKER | PICTURE | OPTIONS, 401, \
      image_packer_pack_to_path_from_picture_async(h.packer, h.picture, path, h.options, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_writer_from_picture_async, PACKER | PICTURE | OPTIONS, 401, \
      image_packer_pack_to_writer_from_picture_async(h.packer, h.picture, take, NULL, h.options, NULL, NULL, &out.job)) \
  ROW(image_job_wait, JOB, 401, \
      image_job_wait(h.job, -1)) \
  ROW(image_job_take_data, JOB, 401, \
      image_job_take_data(h.job, &out.data)) \
  ROW(image_job_get_progress, JOB, 401, \
      image_job_get_progress(h.job, &out.width)) \
  ROW(image_job_cancel, JOB, 401, \
      image_job_cancel(h.job)) \
  ROW(image_job_release, JOB, 401, \
      image_job_release(h.job)) \
  ROW(image_packing_options_set_timeout, OPTIONS, 401, \
      image_packing_options_set_timeout(h.options, 60000)) \
  ROW(image_packing_options_create_preset, 0, 401, \
      image_packing_options_create_preset(IMAGE_PRESET_CVCUDA_05, &out.options)) \
  ROW(image_tensor_create_borrowed, 0, 401, \
      borrow_tensor(&out.tensor)) \
  ROW(image_tensor_create_from_dlpack, 0, 401, \
      ALWAYS(image_tensor_create_from_dlpack(NULL, 0, &out.tensor) == 401)) \
  ROW(image_tensor_create_from_dlpack_legacy, 0, 401, \
      ALWAYS(image_tensor_create_from_dlpack_legacy(NULL, 0, &out.tensor) == 401)) \
  ROW(image_tensor_set_bgr, TENSOR, 401, \
      image_tensor_set_bgr(h.tensor, true)) \
  ROW(image_tensor_set_scale, TENSOR, 401, \
      image_tensor_set_scale(h.tensor, 1, 0)) \
  ROW(image_tensor_set_depth, TENSOR, 401, \
      image_tensor_set_depth(h.tensor, 16)) \
  ROW(image_tensor_set_alpha_type, TENSOR, 401, \
      image_tensor_set_alpha_type(h.tensor, IMAGE_ALPHA_OPAQUE)) \
  ROW(image_tensor_get_size, TENSOR, 401, \
      image_tensor_get_size(h.tensor, &out.count, &out.width, &out.height)) \
  ROW(image_tensor_release, TENSOR, 401, \
      image_tensor_release(h.tensor)) \
  ROW(image_batch_create, PACKER, 401, \
      image_batch_create(h.packer, &out.batch)) \
  ROW(image_batch_add_pixelmap, BATCH | PIXELMAP | OPTIONS, 401, \
      image_batch_add_pixelmap(h.batch, h.pixelmap, h.options)) \
  ROW(image_batch_add_source, BATCH | SOURCE | OPTIONS, 401, \
      image_batch_add_source(h.batch, h.source, h.options)) \
  ROW(image_batch_add_tensor, BATCH | TENSOR | OPTIONS, 401, \
      image_batch_add_tensor(h.batch, h.tensor, h.options)) \
  ROW(image_batch_add_picture, BATCH | PICTURE | OPTIONS, 401, \
      image_batch_add_picture(h.batch, h.picture, h.options)) \
  ROW(image_batch_to_arena, BATCH, 401, \
      image_batch_to_arena(h.batch)) \
  ROW(image_batch_to_files, BATCH, 401, \
      image_batch_to_files(h.batch, &fd, 1)) \
  ROW(image_batch_to_folder, BATCH, 401, \
      to_folder(h.batch)) \
  ROW(image_batch_set_names, BATCH, 401, \
      (to_folder(h.batch), image_batch_set_names(h.batch, "p", NULL, NULL))) \
  ROW(image_batch_start, BATCH, 401, \
      image_batch_start(h.batch, NULL, NULL, NULL)) \
  ROW(image_batch_wait, BATCH, 401, \
      (image_batch_start(h.batch, NULL, NULL, NULL), image_batch_wait(h.batch, -1))) \
  ROW(image_batch_cancel, BATCH, 401, \
      image_batch_cancel(h.batch)) \
  ROW(image_batch_get_progress, BATCH, 401, \
      image_batch_get_progress(h.batch, &out.size, &out.count, NULL)) \
  ROW(image_batch_get_status, BATCH, 401, \
      (finish(h.batch), image_batch_get_status(h.batch, 0))) \
  ROW(image_batch_get_size, BATCH, 401, \
      VALUE((finish(h.batch), !image_batch_get_size(h.batch, 0)))) \
  ROW(image_batch_get_time, BATCH, 401, \
      VALUE((finish(h.batch), !image_batch_get_time(h.batch, 0)))) \
  ROW(image_batch_take_data, BATCH, 401, \
      (finish(h.batch), image_batch_take_data(h.batch, 0, &out.data))) \
  ROW(image_batch_take_arena, BATCH, 401, \
      (image_batch_to_arena(h.batch), finish(h.batch), image_batch_take_arena(h.batch, &out.data, &out.offsets))) \
  ROW(image_batch_release, BATCH, 401, \
      image_batch_release(h.batch)) \
  ROW(image_packer_pack_batch_to_data, PACKER | PIXELMAP | OPTIONS, 401, \
      image_packer_pack_batch_to_data(h.packer, &h.pixelmap, 1, h.options, &out.data, out.statuses)) \
  ROW(image_packer_pack_batch_to_files, PACKER | PIXELMAP | OPTIONS, 62980115, \
      image_packer_pack_batch_to_files(h.packer, &h.pixelmap, 1, &fd, h.options, out.statuses)) \
  ROW(image_packer_pack_batch_to_data_async, PACKER | PIXELMAP | OPTIONS, 401, \
      image_packer_pack_batch_to_data_async(h.packer, &h.pixelmap, 1, h.options, NULL, NULL, NULL, &out.batch)) \
  ROW(image_packer_pack_to_data_from_sequence, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_data_from_sequence(h.packer, &h.pixelmap, 1, h.animation, &out.data)) \
  ROW(image_packer_pack_to_file_from_sequence, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_file_from_sequence(h.packer, &h.pixelmap, 1, fd, h.animation)) \
  ROW(image_packer_pack_to_path_from_sequence, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_path_from_sequence(h.packer, &h.pixelmap, 1, path, h.animation)) \
  ROW(image_packer_pack_to_writer_from_sequence, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_writer_from_sequence(h.packer, &h.pixelmap, 1, take, NULL, h.animation)) \
  ROW(image_packer_pack_to_data_from_sequence_async, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_data_from_sequence_async(h.packer, &h.pixelmap, 1, h.animation, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_file_from_sequence_async, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_file_from_sequence_async(h.packer, &h.pixelmap, 1, fd, h.animation, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_data_from_source_sequence, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_data_from_source_sequence(h.packer, h.source, h.animation, &out.data)) \
  ROW(image_packer_pack_to_file_from_source_sequence, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_file_from_source_sequence(h.packer, h.source, fd, h.animation)) \
  ROW(image_packer_pack_to_path_from_source_sequence, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_path_from_source_sequence(h.packer, h.source, path, h.animation)) \
  ROW(image_packer_pack_to_writer_from_source_sequence, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_writer_from_source_sequence(h.packer, h.source, take, NULL, h.animation)) \
  ROW(image_packer_pack_to_path_from_sequence_async, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_path_from_sequence_async(h.packer, &h.pixelmap, 1, path, h.animation, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_writer_from_sequence_async, PACKER | PIXELMAP | ANIMATION, 401, \
      image_packer_pack_to_writer_from_sequence_async(h.packer, &h.pixelmap, 1, take, NULL, h.animation, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_data_from_source_sequence_async, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_data_from_source_sequence_async(h.packer, h.source, h.animation, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_file_from_source_sequence_async, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_file_from_source_sequence_async(h.packer, h.source, fd, h.animation, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_path_from_source_sequence_async, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_path_from_source_sequence_async(h.packer, h.source, path, h.animation, NULL, NULL, &out.job)) \
  ROW(image_packer_pack_to_writer_from_source_sequence_async, PACKER | SOURCE | ANIMATION, 401, \
      image_packer_pack_to_writer_from_source_sequence_async(h.packer, h.source, take, NULL, h.animation, NULL, NULL, &out.job)) \
  ROW(image_batch_get_report, BATCH | REPORT, 401, \
      (finish(h.batch), image_batch_get_report(h.batch, 0, h.report))) \
  ROW(image_packing_options_set_device_use, OPTIONS, 401, \
      image_packing_options_set_device_use(h.options, IMAGE_DEVICE_USE_CPU)) \
  ROW(image_report_get_backend, REPORT, 401, \
      image_report_get_backend(h.report, &out.number)) \
  ROW(image_tensor_create_on_device, 0, 401, \
      on_device(&out.tensor)) \
  ROW(image_tensor_get_device, TENSOR, 401, \
      image_tensor_get_device(h.tensor, &out.number, NULL)) \
  ROW(image_tensor_set_stream, TENSOR, 401, \
      image_tensor_set_stream(h.tensor, NULL)) \
  ROW(image_sequence_cancel, SEQUENCE, 401, \
      image_sequence_cancel(h.sequence)) \
  ROW(image_sequence_options_set_needs_pack_properties, ANIMATION, 401, \
      image_sequence_options_set_needs_pack_properties(h.animation, true)) \
  ROW(image_sequence_options_set_keep_gps, ANIMATION, 401, \
      image_sequence_options_set_keep_gps(h.animation, false)) \
  ROW(image_sequence_options_set_metadata, ANIMATION, 401, \
      image_sequence_options_set_metadata(h.animation, h.picture)) \
  ROW(image_sequence_options_set_dithering, ANIMATION, 401, \
      image_sequence_options_set_dithering(h.animation, IMAGE_DITHERING_ORDERED)) \
  ROW(image_sequence_options_set_tail, ANIMATION, 401, \
      image_sequence_options_set_tail(h.animation, IMAGE_TAIL_KEEP)) \
  ROW(image_sequence_options_set_timeout, ANIMATION, 401, \
      image_sequence_options_set_timeout(h.animation, 60000)) \
  ROW(image_sequence_options_set_report, ANIMATION, 401, \
      image_sequence_options_set_report(h.animation, NULL)) \
  ROW(image_sequence_begin, PACKER | ANIMATION, 401, \
      image_sequence_begin(h.packer, h.animation, &out.sequence)) \
  ROW(image_sequence_begin_to_file, PACKER | ANIMATION, 401, \
      image_sequence_begin_to_file(h.packer, fd, h.animation, &out.sequence)) \
  ROW(image_sequence_begin_to_path, PACKER | ANIMATION, 401, \
      image_sequence_begin_to_path(h.packer, path, h.animation, &out.sequence)) \
  ROW(image_sequence_begin_to_writer, PACKER | ANIMATION, 401, \
      image_sequence_begin_to_writer(h.packer, take, NULL, h.animation, &out.sequence)) \
  ROW(image_sequence_add_frame, SEQUENCE | PIXELMAP, 401, \
      image_sequence_add_frame(h.sequence, h.pixelmap, 5, -1)) \
  ROW(image_sequence_add_frame_at, SEQUENCE | PIXELMAP, 401, \
      image_sequence_add_frame_at(h.sequence, h.pixelmap, 0, 0, 5, -1)) \
  ROW(image_sequence_finish, SEQUENCE, 401, \
      (image_sequence_add_frame(h.sequence, h.pixelmap, 5, -1), image_sequence_finish(h.sequence, &out.data))) \
  ROW(image_sequence_release, SEQUENCE, 401, \
      image_sequence_release(h.sequence)) \
  ROW(image_sequence_options_create, 0, 401, \
      image_sequence_options_create("image/gif", 1, &out.animation)) \
  ROW(image_sequence_options_set_delay_times, ANIMATION, 401, \
      image_sequence_options_set_delay_times(h.animation, (const int32_t[1]){7}, 1)) \
  ROW(image_sequence_options_set_disposal_types, ANIMATION, 401, \
      image_sequence_options_set_disposal_types(h.animation, (const uint32_t[1]){1}, 1)) \
  ROW(image_sequence_options_set_offsets, ANIMATION, 401, \
      image_sequence_options_set_offsets(h.animation, (const uint32_t[2]){0, 0}, 1)) \
  ROW(image_sequence_options_set_canvas, ANIMATION, 401, \
      image_sequence_options_set_canvas(h.animation, 20, 20)) \
  ROW(image_sequence_options_set_loop_count, ANIMATION, 401, \
      image_sequence_options_set_loop_count(h.animation, 3)) \
  ROW(image_sequence_options_set_quality, ANIMATION, 401, \
      image_sequence_options_set_quality(h.animation, 50)) \
  ROW(image_sequence_options_set_effort, ANIMATION, 401, \
      image_sequence_options_set_effort(h.animation, 2)) \
  ROW(image_sequence_options_set_lossless, ANIMATION, 401, \
      image_sequence_options_set_lossless(h.animation, false)) \
  ROW(image_sequence_options_set_sync, ANIMATION, 401, \
      image_sequence_options_set_sync(h.animation, false)) \
  ROW(image_sequence_options_set, ANIMATION, 401, \
      image_sequence_options_set(h.animation, "webp.method", "1")) \
  ROW(image_sequence_options_set_progress, ANIMATION, 401, \
      image_sequence_options_set_progress(h.animation, progress, NULL)) \
  ROW(image_sequence_options_release, ANIMATION, 401, \
      image_sequence_options_release(h.animation)) \
  ROW(image_source_get_loop_count, SOURCE, 401, \
      image_source_get_loop_count(h.source, &out.width)) \
  ROW(image_source_get_frame_delay, SOURCE, 401, \
      image_source_get_frame_delay(h.source, 0, &out.width)) \
  ROW(image_source_get_frame_disposal, SOURCE, 401, \
      image_source_get_frame_disposal(h.source, 0, &out.width))
/* clang-format on */

static ImageStatus borrow_tensor(ImageTensor **tensor) {
  static const int64_t shape[3] = {8, 8, 3};
  return image_tensor_create_borrowed(rgb, sizeof rgb, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_HWC, shape, NULL, 3, NULL,
                                      NULL, tensor);
}

static ImageStatus on_device(ImageTensor **tensor) {
  static const int64_t shape[3] = {8, 8, 3};
  return image_tensor_create_on_device(IMAGE_DEVICE_CPU, 0, rgb, sizeof rgb, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_HWC,
                                       shape, NULL, 3, NULL, NULL, tensor);
}

static ImageStatus to_folder(ImageBatch *batch) {
  const char *name = "handles";
  return image_batch_to_folder(batch, ".", &name, 1, IMAGE_SAME_NAME_ERROR);
}

static void finish(ImageBatch *batch) {
  image_batch_start(batch, NULL, NULL, NULL);
  image_batch_wait(batch, -1);
}

static ImageStatus set_params(ImagePicture *picture) {
  const float low[] = {0, 0, 0}, high[] = {1, 1, 1};
  return image_picture_set_gain_map_params(picture, 0, 2, low, high, high, low, low, true);
}

/* The main image serves as the gain map. */
static ImageStatus apply_map(const ImagePicture *picture) {
  ImagePicture *own = NULL;
  ImagePixelMap *main = NULL;
  if (image_picture_get_main(picture, &main) == IMAGE_OK) {
    if (image_picture_create(main, &own) == IMAGE_OK && set_params(own) == IMAGE_OK &&
        image_picture_set_auxiliary(own, IMAGE_AUXILIARY_GAIN_MAP, main) == IMAGE_OK)
      picture = own;
    image_pixelmap_release(main);
  }
  ImageStatus status = image_picture_create_hdr_pixelmap(picture, IMAGE_PIXEL_FORMAT_RGBA_F16, 1, &out.pixelmap);
  if (own) image_picture_release(own);
  return status;
}

/* Editing takes a picture without pixels: a right handle of one with pixels is taken for another. */
static ImageStatus edit(const ImageSource *source, const ImagePicture *picture, ImageData **data, int to,
                        const char *name) {
  ImagePicture *own = NULL;
  ImagePixelMap *main = NULL;
  if (image_picture_get_main(picture, &main) == IMAGE_OK) {
    image_pixelmap_release(main);
    if (image_source_create_metadata(source, &own) == IMAGE_OK) picture = own;
  }
  ImageStatus status = data   ? image_packer_edit_metadata_to_data(source, picture, data)
                       : name ? image_packer_edit_metadata_to_path(source, picture, name)
                              : image_packer_edit_metadata_to_file(source, picture, to);
  if (own) image_picture_release(own);
  return status;
}

static ImageStatus get_params(const ImagePicture *picture) {
  return image_picture_get_gain_map_params(picture, &out.numbers[0], &out.numbers[1], &out.numbers[2], &out.numbers[5],
                                           &out.numbers[8], &out.numbers[11], &out.numbers[14], NULL);
}

static ImageStatus borrow_planes(void) {
  const void *planes[] = {rgb, rgb + 64};
  const size_t sizes[] = {64, 32}, strides[] = {0, 0};
  return image_pixelmap_create_borrowed_planes(8, 8, IMAGE_PIXEL_FORMAT_NV12, planes, sizes, strides, 2, NULL, NULL,
                                               &out.pixelmap);
}

/* The first setting that any format has, with a value that every kind of setting takes; its name ends at the colon. */
static ImageStatus a_setting(ImagePackingOptions *options) {
  for (size_t i = 0; image_packer_get_supported_format(i); ++i) {
    const char *help = image_packer_get_setting(image_packer_get_supported_format(i), 0);
    char name[64];
    if (!help) continue;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(help, ":"), help);
    static const char *const values[] = {"0", "1", "50", "auto"};
    ImageStatus status = IMAGE_OK;
    for (size_t v = 0; v < 4; ++v)
      if ((status = image_packing_options_set(options, name, values[v])) == IMAGE_OK) break;
    return status;
  }
  return IMAGE_OK;
}

#define CALL(function, uses, bad, call) \
  static ImageStatus call_##function(Handles h) { return (void)h, (call); }
FUNCTIONS(CALL)

typedef struct {
  const char *name;
  int uses;
  ImageStatus bad;
  ImageStatus (*call)(Handles);
} Row;

#define LINE(function, uses, bad, call) {#function, uses, bad, call_##function},
static const Row rows[] = {FUNCTIONS(LINE)};
enum { ROWS = sizeof rows / sizeof *rows };

static Handles make(void) {
  Handles h = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
  NEED(image_packer_create(&h.packer) == IMAGE_OK);
  NEED(image_pixelmap_create_from_copy(8, 8, FORMAT, rgb, sizeof rgb, 0, &h.pixelmap) == IMAGE_OK);
  NEED(image_source_create_from_copy(jpeg.bytes, jpeg.size, &h.source) == IMAGE_OK);
  NEED(image_packing_options_create("image/jpeg", 80, &h.options) == IMAGE_OK);
  NEED(image_report_create(&h.report) == IMAGE_OK);
  NEED(image_packing_options_set_report(h.options, h.report) == IMAGE_OK);
  NEED(image_picture_create(h.pixelmap, &h.picture) == IMAGE_OK && set_params(h.picture) == IMAGE_OK);
  NEED(image_picture_set_auxiliary(h.picture, IMAGE_AUXILIARY_UNREFOCUS_MAP, h.pixelmap) == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_picture(h.packer, h.picture, h.options, &h.data) == IMAGE_OK);
  NEED(image_packer_pack_to_data_async(h.packer, h.pixelmap, h.options, NULL, NULL, &h.job) == IMAGE_OK);
  NEED(image_job_wait(h.job, -1) == IMAGE_OK);
  NEED(borrow_tensor(&h.tensor) == IMAGE_OK && image_batch_create(h.packer, &h.batch) == IMAGE_OK);
  NEED(image_batch_add_pixelmap(h.batch, h.pixelmap, h.options) == IMAGE_OK);
  /* The report is of a pack that had something to tell: the auxiliary image has no place in a PNG. */
  NEED(image_packing_options_set_format(h.options, "image/png") == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_picture(h.packer, h.picture, h.options, &out.data) == IMAGE_OK);
  NEED(image_packing_options_set_format(h.options, "image/jpeg") == IMAGE_OK);
  NEED(image_sequence_options_create("image/gif", 1, &h.animation) == IMAGE_OK);
  NEED(image_sequence_begin(h.packer, h.animation, &h.sequence) == IMAGE_OK);
  image_data_release(out.data);
  return h;
}

static void drop(Handles h) {
  image_packer_release(h.packer);
  image_pixelmap_release(h.pixelmap);
  image_source_release(h.source);
  image_packing_options_release(h.options);
  image_data_release(h.data);
  image_picture_release(h.picture);
  image_report_release(h.report);
  image_job_release(h.job);
  image_tensor_release(h.tensor);
  image_batch_release(h.batch);
  image_sequence_options_release(h.animation);
  image_sequence_release(h.sequence);
}

static void *get(const Handles *h, int kind) {
  void *all[KINDS] = {h->packer, h->pixelmap, h->source, h->options, h->data,      h->picture,
                      h->report, h->job,      h->tensor, h->batch,   h->animation, h->sequence};
  return all[kind];
}

static Handles with(Handles h, int kind, void *value) {
  switch (1 << kind) {
    case PACKER:
      h.packer = value;
      break;
    case PIXELMAP:
      h.pixelmap = value;
      break;
    case SOURCE:
      h.source = value;
      break;
    case OPTIONS:
      h.options = value;
      break;
    case PICTURE:
      h.picture = value;
      break;
    case REPORT:
      h.report = value;
      break;
    case JOB:
      h.job = value;
      break;
    case TENSOR:
      h.tensor = value;
      break;
    case BATCH:
      h.batch = value;
      break;
    case ANIMATION:
      h.animation = value;
      break;
    case SEQUENCE:
      h.sequence = value;
      break;
    default:
      h.data = value;
  }
  return h;
}

static void refused(const Row *row, Handles h, int kind, void *value, const char *what, int32_t cause) {
  Outputs before;
  memset(&out, 0x5A, sizeof out);
  before = out;
  ImageStatus status = row->call(with(h, kind, value));
  CHECK(status == row->bad, "%s with %s answers %d", row->name, what, (int)status);
  CHECK(memcmp(&before, &out, sizeof out) == 0, "%s with %s wrote something", row->name, what);
  CHECK(image_packer_last_error_status() == row->bad, "%s with %s: last status", row->name, what);
  CHECK(cause < 0 || image_packer_last_error_cause() == cause, "%s with %s: cause %d", row->name, what,
        (int)image_packer_last_error_cause());
  CHECK(image_packer_last_error_message()[0], "%s with %s says nothing", row->name, what);
}

static void misuse(const Row *row) {
  Handles h = make(), dead = make();
  drop(dead);
  for (int kind = 0; kind < KINDS; ++kind) {
    if (!(row->uses & 1 << kind)) continue;
    refused(row, h, kind, NULL, "NULL", IMAGE_CAUSE_NULL_POINTER);
    refused(row, h, kind, get(&dead, kind), "a released handle", IMAGE_CAUSE_RELEASED_HANDLE);
    for (int other = 0; other < KINDS; ++other)
      if (other != kind) refused(row, h, kind, get(&h, other), "another type", IMAGE_CAUSE_WRONG_HANDLE);
    const uintptr_t garbage[] = {2, 4096, (uintptr_t)&h, (uintptr_t)jpeg.bytes, (uintptr_t)-2, UINTPTR_MAX / 3 * 2};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; ++i)
      refused(row, h, kind, (void *)garbage[i], "garbage", IMAGE_CAUSE_NOT_A_HANDLE);
    for (size_t bit = 0; bit < 8 * sizeof(void *); ++bit)
      refused(row, h, kind, (void *)((uintptr_t)get(&h, kind) ^ (uintptr_t)1 << bit), "a flipped bit", -1);
    refused(row, h, kind, (void *)UINTPTR_MAX, "all ones", -1);
    refused(row, h, kind, (void *)1, "1", -1);
  }
  /* The very same call is right with right handles: only the handle was wrong. */
  memset(&out, 0, sizeof out);
  ImageStatus status = row->call(h);
  CHECK(status == IMAGE_OK, "%s with right handles answers %d", row->name, (int)status);
  image_packer_release(out.packer);
  image_pixelmap_release(out.pixelmap);
  image_source_release(out.source);
  image_packing_options_release(out.options);
  image_data_release(out.data);
  image_picture_release(out.picture);
  image_report_release(out.report);
  if (out.job) image_job_wait(out.job, -1);
  image_job_release(out.job);
  if (out.batch) image_batch_wait(out.batch, -1);
  image_batch_release(out.batch);
  image_tensor_release(out.tensor);
  image_data_release(out.offsets);
  image_sequence_options_release(out.animation);
  image_sequence_release(out.sequence);
  free(out.bytes);
  drop(h);
}

static void every_function_has_a_row(const char *list) {
  char name[256];
  FILE *file = fopen(list, "r");
  size_t listed = 0;
  NEED(file != NULL);
  while (fscanf(file, "%255s", name) == 1) {
    size_t row = 0;
    while (row < ROWS && strcmp(rows[row].name, name) != 0) ++row;
    CHECK(row < ROWS, "%s has no row in handles.c", name);
    ++listed;
  }
  fclose(file);
  CHECK(listed == ROWS, "%zu functions are listed, %d have rows", listed, (int)ROWS);
}

static void released_twice(void) {
  Handles h = make();
  CHECK(image_data_release(h.data) == IMAGE_OK && image_data_release(h.data) == 401, "data");
  CHECK(image_pixelmap_release(h.pixelmap) == IMAGE_OK && image_pixelmap_release(h.pixelmap) == 401, "pixel map");
  CHECK(image_source_release(h.source) == IMAGE_OK && image_source_release(h.source) == 401, "source");
  CHECK(image_packing_options_release(h.options) == IMAGE_OK && image_packing_options_release(h.options) == 401,
        "options");
  CHECK(image_picture_release(h.picture) == IMAGE_OK && image_picture_release(h.picture) == 401, "picture");
  CHECK(image_report_release(h.report) == IMAGE_OK && image_report_release(h.report) == 401, "report");
  CHECK(image_packer_release(h.packer) == IMAGE_OK && image_packer_release(h.packer) == 401, "packer");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_RELEASED_HANDLE, "cause");
  /* A place that is used again does not bring the old handle back. */
  for (int i = 0; i < 10000; ++i) {
    ImagePacker *other = NULL;
    NEED(image_packer_create(&other) == IMAGE_OK);
    CHECK(other != h.packer && image_packer_set_threads(h.packer, 1) == 401, "generation %d", i);
    image_packer_release(other);
  }
}

static int given_back;
static void give_back(void *user) {
  (void)user;
  ++given_back;
}

static void *release_all(void *user) {
  const Handles *h = user;
  CHECK(image_packer_release(h->packer) == IMAGE_OK, "packer");
  CHECK(image_pixelmap_release(h->pixelmap) == IMAGE_OK, "pixel map");
  CHECK(image_source_release(h->source) == IMAGE_OK, "source");
  CHECK(image_packing_options_release(h->options) == IMAGE_OK, "options");
  return NULL;
}

/* Once, from the middle of the pack, on another thread. */
static int32_t release_meanwhile(void *user, const uint8_t *bytes, size_t size) {
  Handles **h = user;
  pthread_t thread;
  (void)bytes, (void)size;
  if (*h) {
    NEED(pthread_create(&thread, NULL, release_all, *h) == 0);
    NEED(pthread_join(thread, NULL) == 0);
    *h = NULL;
  }
  return 0;
}

static void released_during_a_pack(bool from_source) {
  Handles h = make(), *once = &h;
  image_pixelmap_release(h.pixelmap);
  given_back = 0;
  NEED(image_pixelmap_create_borrowed(8, 8, FORMAT, rgb, sizeof rgb, 0, give_back, NULL, &h.pixelmap) == IMAGE_OK);
  ImageStatus status =
      from_source ? image_packer_pack_to_writer_from_source(h.packer, h.source, release_meanwhile, &once, h.options)
                  : image_packer_pack_to_writer(h.packer, h.pixelmap, release_meanwhile, &once, h.options);
  CHECK(status == IMAGE_OK, "a pack whose handles are released goes on: %d", (int)status);
  CHECK(once == NULL, "the writer was called");
  CHECK(given_back == 1, "given back %d times", given_back);
  CHECK(image_packer_set_threads(h.packer, 1) == 401, "and then the packer is gone");
  image_data_release(h.data);
}

int main(int argc, char **argv) {
  NEED(argc == 2);
  for (size_t i = 0; i < sizeof rgb; ++i) rgb[i] = (uint8_t)(i * 5);

  ImagePacker *packer = NULL;
  ImagePixelMap *map = host_picture(8, 8);
  ImagePackingOptions *options = host_options("image/jpeg");
  NEED(image_packer_create(&packer) == IMAGE_OK);
  jpeg = host_expected(packer, map, options);
  image_packing_options_release(options);
  image_pixelmap_release(map);
  image_packer_release(packer);

  snprintf(path, sizeof path, "handles-XXXXXX");
  fd = mkstemp(path);
  NEED(fd >= 0 && write(fd, jpeg.bytes, jpeg.size) == (ssize_t)jpeg.size && lseek(fd, 0, SEEK_SET) == 0);

  every_function_has_a_row(argv[1]);
  for (size_t i = 0; i < ROWS; ++i) misuse(&rows[i]);
  released_twice();
  released_during_a_pack(false);
  released_during_a_pack(true);

  close(fd);
  unlink(path);
  free(jpeg.bytes);
  return host_end("handles");
}
