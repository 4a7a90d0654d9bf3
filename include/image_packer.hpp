/**
 * @file image_packer.hpp
 * @brief image_packer for C++17 and newer, in one header over the C functions.
 *
 *     image_packer::Packer packer;
 *     auto pixels = image_packer::PixelMap::copy(6, 4, IMAGE_PIXEL_FORMAT_RGBA_8888, rgba);
 *     image_packer::Data jpeg = packer.pack(pixels, {"image/jpeg", 98});
 *
 * Each class owns one handle: it can be moved, not copied, and releases the handle at its end. Failures are thrown as
 * image_packer::Error. What the C header says about ranges, units, threads and lifetimes holds here too.
 */
#ifndef IMAGE_PACKER_HPP
#define IMAGE_PACKER_HPP

#include <image_packer.h>

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace image_packer {

/** A call that failed: what() has the numbers, status() and cause() the IMAGE_ERROR_ and IMAGE_CAUSE_ constants. */
class Error : public std::runtime_error {
 public:
  Error() : std::runtime_error(image_packer_last_error_message()) {}
  ImageStatus status() const noexcept { return status_; }
  ImageErrorCause cause() const noexcept { return cause_; }

 private:
  ImageStatus status_ = image_packer_last_error_status();
  ImageErrorCause cause_ = image_packer_last_error_cause();
};

/** Throws Error unless the call went well. */
inline void check(ImageStatus status) {
  if (status != IMAGE_OK) throw Error();
}

/** Readable bytes: an address and a size, or anything with data() and size(): vector, array, string, span, Data. */
class Bytes {
 public:
  Bytes(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <typename Container,
            typename = decltype(std::declval<const Container &>().data(), std::declval<const Container &>().size())>
  Bytes(const Container &container) noexcept
      : data_(container.data()), size_(container.size() * sizeof *container.data()) {}
  template <typename T, std::size_t N>
  Bytes(const T (&array)[N]) noexcept : data_(array), size_(sizeof array) {}
  const void *data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  const void *data_;
  std::size_t size_;
};

namespace detail {
template <auto release>
struct Release {
  template <typename T>
  void operator()(T *handle) const noexcept {
    release(handle);
  }
};
template <typename T, auto release>
using Handle = std::unique_ptr<T, Release<release>>;

/** A handle that the library made and that may be NULL. */
template <typename Object, typename Raw>
std::optional<Object> optional(Raw *handle) {
  return handle ? std::optional<Object>(Object(handle)) : std::nullopt;
}

/** A function object behind C's function pointer. What it throws is kept and thrown again when the call is over. */
template <typename... Arguments>
struct Callback {
  std::function<bool(Arguments...)> function;
  std::exception_ptr thrown;

  static std::int32_t call(void *user, Arguments... arguments) noexcept {
    auto &self = *static_cast<Callback *>(user);
    try {
      return self.function(arguments...) ? 0 : 1;
    } catch (...) {
      self.thrown = std::current_exception();
      return 1;
    }
  }
  void check(ImageStatus status) {
    if (thrown) std::rethrow_exception(thrown);
    image_packer::check(status);
  }
};

/** Calls `create(release, user)`, whose object calls `done` when it needs the caller's memory no longer. */
template <typename Create>
void lend(std::function<void()> done, Create create) {
  using Done = std::function<void()>;
  std::unique_ptr<Done> owner(done ? new Done(std::move(done)) : nullptr);
  ImageReleaseFn release = [](void *user) {
    std::unique_ptr<Done> done(static_cast<Done *>(user));
    (*done)();
  };
  check(create(owner ? release : nullptr, owner.get()));
  owner.release();
}
}  // namespace detail

/** Encoded bytes. */
class Data {
 public:
  explicit Data(ImageData *handle) noexcept : handle_(handle) {}
  const std::uint8_t *data() const noexcept { return image_data_bytes(handle_.get()); }
  std::size_t size() const noexcept { return image_data_size(handle_.get()); }
  const std::uint8_t *begin() const noexcept { return data(); }
  const std::uint8_t *end() const noexcept { return data() + size(); }
  std::string text() const { return std::string(reinterpret_cast<const char *>(data()), size()); }
  ImageData *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ImageData, image_data_release> handle_;
};

/** A rectangle of pixels and what they mean. */
class PixelMap {
 public:
  explicit PixelMap(ImagePixelMap *handle) noexcept : handle_(handle) {}
  PixelMap(std::uint32_t width, std::uint32_t height, ImagePixelFormat format) {
    ImagePixelMap *map = nullptr;
    check(image_pixelmap_create(width, height, format, &map));
    handle_.reset(map);
  }
  /** Copies pixels; `stride` 0 means tight rows. */
  static PixelMap copy(std::uint32_t width, std::uint32_t height, ImagePixelFormat format, Bytes pixels,
                       std::size_t stride = 0) {
    ImagePixelMap *map = nullptr;
    check(image_pixelmap_create_from_copy(width, height, format, pixels.data(), pixels.size(), stride, &map));
    return PixelMap(map);
  }
  /** Borrows pixels until `done` is called, on any thread; `done` must not throw. */
  static PixelMap borrow(std::uint32_t width, std::uint32_t height, ImagePixelFormat format, Bytes pixels,
                         std::size_t stride = 0, std::function<void()> done = {}) {
    ImagePixelMap *map = nullptr;
    detail::lend(std::move(done), [&](ImageReleaseFn release, void *user) {
      return image_pixelmap_create_borrowed(width, height, format, pixels.data(), pixels.size(), stride, release, user,
                                            &map);
    });
    return PixelMap(map);
  }
  /** A plane of a planar format; `stride` 0 means tight rows. */
  struct Plane {
    Bytes bytes;
    std::size_t stride = 0;
  };
  /** Borrows planes, such as a camera's, until `done` is called, on any thread; `done` must not throw. */
  static PixelMap borrow_planes(std::uint32_t width, std::uint32_t height, ImagePixelFormat format,
                                const std::vector<Plane> &planes, std::function<void()> done = {}) {
    std::vector<const void *> starts;
    std::vector<std::size_t> sizes, strides;
    for (const Plane &plane : planes) {
      starts.push_back(plane.bytes.data());
      sizes.push_back(plane.bytes.size());
      strides.push_back(plane.stride);
    }
    ImagePixelMap *map = nullptr;
    detail::lend(std::move(done), [&](ImageReleaseFn release, void *user) {
      return image_pixelmap_create_borrowed_planes(width, height, format, starts.data(), sizes.data(), strides.data(),
                                                   planes.size(), release, user, &map);
    });
    return PixelMap(map);
  }
  std::uint32_t width() const { return size().first; }
  std::uint32_t height() const { return size().second; }
  ImagePixelFormat format() const {
    ImagePixelFormat format = 0;
    check(image_pixelmap_get_format(get(), &format));
    return format;
  }
  void read(void *buffer, std::size_t size, std::size_t stride = 0) const {
    check(image_pixelmap_read_pixels(get(), buffer, size, stride));
  }
  PixelMap &write(Bytes pixels, std::size_t stride = 0) {
    check(image_pixelmap_write_pixels(get(), pixels.data(), pixels.size(), stride));
    return *this;
  }
  PixelMap &alpha_type(ImageAlphaType alpha) {
    check(image_pixelmap_set_alpha_type(get(), alpha));
    return *this;
  }
  PixelMap &cicp(std::uint16_t primaries, std::uint16_t transfer, std::uint16_t matrix, bool full_range) {
    check(image_pixelmap_set_cicp(get(), primaries, transfer, matrix, full_range));
    return *this;
  }
  PixelMap &icc_profile(Bytes profile) {
    check(image_pixelmap_set_icc_profile(get(), profile.data(), profile.size()));
    return *this;
  }
  /** Brightness of HDR content in cd/m²: of its brightest pixel, and of its brightest frame's mean. */
  PixelMap &content_light_level(std::uint16_t max_cll, std::uint16_t max_fall) {
    check(image_pixelmap_set_content_light_level(get(), max_cll, max_fall));
    return *this;
  }
  /** The same two; 0 is unknown. */
  std::pair<std::uint16_t, std::uint16_t> content_light_level() const {
    std::pair<std::uint16_t, std::uint16_t> level;
    check(image_pixelmap_get_content_light_level(get(), &level.first, &level.second));
    return level;
  }
  /** The display of HDR content: x, y of red, green, blue and white in 0.00002; luminance in 0.0001 cd/m². */
  PixelMap &mastering_display(const std::array<std::uint16_t, 8> &points, std::uint32_t max, std::uint32_t min) {
    check(image_pixelmap_set_mastering_display(get(), points.data(), points.data() + 6, max, min));
    return *this;
  }
  ImagePixelMap *get() const noexcept { return handle_.get(); }

 private:
  std::pair<std::uint32_t, std::uint32_t> size() const {
    std::pair<std::uint32_t, std::uint32_t> size;
    check(image_pixelmap_get_size(get(), &size.first, &size.second));
    return size;
  }
  detail::Handle<ImagePixelMap, image_pixelmap_release> handle_;
};

/** Reads up to `capacity` encoded bytes from `offset`; how many, 0 at the end. What it throws is a read error. */
using Reader = std::function<std::size_t(std::uint64_t offset, std::uint8_t *buffer, std::size_t capacity)>;

/** An encoded image to be decoded or re-encoded. */
class Source {
 public:
  explicit Source(ImageSource *handle) noexcept : handle_(handle) {}
  static Source copy(Bytes encoded) {
    ImageSource *source = nullptr;
    check(image_source_create_from_copy(encoded.data(), encoded.size(), &source));
    return Source(source);
  }
  /** Borrows encoded bytes until `done` is called, on any thread; `done` must not throw. */
  static Source borrow(Bytes encoded, std::function<void()> done = {}) {
    ImageSource *source = nullptr;
    detail::lend(std::move(done), [&](ImageReleaseFn release, void *user) {
      return image_source_create_borrowed(encoded.data(), encoded.size(), release, user, &source);
    });
    return Source(source);
  }
  /** Reads through a function, one call at a time, on any thread. */
  static Source reader(Reader reader) {
    ImageReadFn read = [](void *user, std::uint64_t offset, std::uint8_t *buffer, std::size_t capacity,
                          std::size_t *size) -> std::int32_t {
      try {
        *size = (*static_cast<Reader *>(user))(offset, buffer, capacity);
        return 0;
      } catch (...) {
        return 1;
      }
    };
    auto owner = std::make_unique<Reader>(std::move(reader));
    ImageReleaseFn release = [](void *user) { delete static_cast<Reader *>(user); };
    ImageSource *source = nullptr;
    check(image_source_create_from_reader(read, release, owner.get(), &source));
    owner.release();
    return Source(source);
  }
  static Source open(const std::string &path) {
    ImageSource *source = nullptr;
    check(image_source_create_from_path(path.c_str(), &source));
    return Source(source);
  }
  static Source descriptor(int fd) {
    ImageSource *source = nullptr;
    check(image_source_create_from_fd(fd, &source));
    return Source(source);
  }
  std::string format() const {
    const char *mime = "";
    check(image_source_get_format(get(), &mime));
    return mime;
  }
  std::uint32_t width() const { return size().first; }
  std::uint32_t height() const { return size().second; }
  std::size_t frames() const {
    std::size_t count = 0;
    check(image_source_get_frame_count(get(), &count));
    return count;
  }
  /** How often an animation is shown; 0 is for ever. */
  std::uint32_t loop_count() const {
    std::uint32_t loops = 0;
    check(image_source_get_loop_count(get(), &loops));
    return loops;
  }
  /** Time on screen of a frame in milliseconds. */
  std::uint32_t frame_delay(std::size_t frame) const {
    std::uint32_t millis = 0;
    check(image_source_get_frame_delay(get(), frame, &millis));
    return millis;
  }
  /** What happens to a frame's part of the canvas: 0 to 3 as in GIF. */
  std::uint32_t frame_disposal(std::size_t frame) const {
    std::uint32_t disposal = 0;
    check(image_source_get_frame_disposal(get(), frame, &disposal));
    return disposal;
  }
  PixelMap decode(std::size_t frame = 0) const {
    ImagePixelMap *map = nullptr;
    check(image_source_create_pixelmap(get(), frame, &map));
    return PixelMap(map);
  }
  ImageSource *get() const noexcept { return handle_.get(); }

 private:
  std::pair<std::uint32_t, std::uint32_t> size() const {
    std::pair<std::uint32_t, std::uint32_t> size;
    check(image_source_get_size(get(), &size.first, &size.second));
    return size;
  }
  detail::Handle<ImageSource, image_source_release> handle_;
};

/** A main image with what belongs to it: gain map, depth, metadata. */
class Picture {
 public:
  explicit Picture(ImagePicture *handle) noexcept : handle_(handle) {}
  explicit Picture(const PixelMap &main) {
    ImagePicture *picture = nullptr;
    check(image_picture_create(main.get(), &picture));
    handle_.reset(picture);
  }
  /** The first frame of a source with its auxiliary images and its metadata. */
  static Picture decode(const Source &source) {
    ImagePicture *picture = nullptr;
    check(image_source_create_picture(source.get(), &picture));
    return Picture(picture);
  }
  /** The metadata of a source alone, to be looked at, or changed and put back with edited(). */
  static Picture metadata_of(const Source &source) {
    ImagePicture *picture = nullptr;
    check(image_source_create_metadata(source.get(), &picture));
    return Picture(picture);
  }
  std::optional<PixelMap> main() const {
    ImagePixelMap *map = nullptr;
    check(image_picture_get_main(get(), &map));
    return detail::optional<PixelMap>(map);
  }
  std::optional<PixelMap> auxiliary(ImageAuxiliaryType type) const {
    ImagePixelMap *map = nullptr;
    check(image_picture_get_auxiliary(get(), type, &map));
    return detail::optional<PixelMap>(map);
  }
  Picture &auxiliary(ImageAuxiliaryType type, const PixelMap &map) {
    return set(image_picture_set_auxiliary(get(), type, map.get()));
  }
  /** How a gain map brightens the main image (ISO 21496-1): log2, per channel R, G, B. */
  struct GainMapParams {
    float base_headroom = 0, alternate_headroom = 1;
    float gain_min[3] = {0, 0, 0}, gain_max[3] = {1, 1, 1}, gamma[3] = {1, 1, 1};
    float base_offset[3] = {0, 0, 0}, alternate_offset[3] = {0, 0, 0};
    bool use_base_color = true;
  };
  GainMapParams gain_map_params() const {
    GainMapParams p;
    check(image_picture_get_gain_map_params(get(), &p.base_headroom, &p.alternate_headroom, p.gain_min, p.gain_max,
                                            p.gamma, p.base_offset, p.alternate_offset, &p.use_base_color));
    return p;
  }
  Picture &gain_map_params(const GainMapParams &p) {
    return set(image_picture_set_gain_map_params(get(), p.base_headroom, p.alternate_headroom, p.gain_min, p.gain_max,
                                                 p.gamma, p.base_offset, p.alternate_offset, p.use_base_color));
  }
  /** A block of metadata as it stands in files; none if there is none of this type. */
  std::optional<Data> metadata(ImageMetadataType type) const {
    ImageData *data = nullptr;
    check(image_picture_get_metadata(get(), type, &data));
    return detail::optional<Data>(data);
  }
  Picture &metadata(ImageMetadataType type, Bytes block) {
    return set(image_picture_set_metadata(get(), type, block.data(), block.size()));
  }
  std::optional<std::string> property(ImageProperty property) const {
    ImageData *data = nullptr;
    check(image_picture_get_property(get(), property, &data));
    return data ? std::optional<std::string>(Data(data).text()) : std::nullopt;
  }
  Picture &property(ImageProperty property, const std::string &text) {
    return set(image_picture_set_property(get(), property, text.c_str()));
  }
  Picture &remove_property(ImageProperty property) { return set(image_picture_set_property(get(), property, nullptr)); }
  /** 1 to 8 as in EXIF. */
  std::uint32_t orientation() const {
    std::uint32_t orientation = 1;
    check(image_picture_get_orientation(get(), &orientation));
    return orientation;
  }
  Picture &orientation(std::uint32_t orientation) { return set(image_picture_set_orientation(get(), orientation)); }
  /** Pixels per inch; 0 and 0 if unknown. */
  std::pair<double, double> density() const {
    std::pair<double, double> dpi;
    check(image_picture_get_density(get(), &dpi.first, &dpi.second));
    return dpi;
  }
  Picture &density(double x_dpi, double y_dpi) { return set(image_picture_set_density(get(), x_dpi, y_dpi)); }
  /** Degrees north and east, metres above the sea; all NaN if unknown. */
  struct Place {
    double latitude, longitude, altitude;
  };
  Place gps() const {
    Place place{};
    check(image_picture_get_gps(get(), &place.latitude, &place.longitude, &place.altitude));
    return place;
  }
  Picture &gps(const Place &place) {
    return set(image_picture_set_gps(get(), place.latitude, place.longitude, place.altitude));
  }
  /** Whether the file had provenance data (C2PA), which is never written again. */
  bool provenance() const {
    bool provenance = false;
    check(image_picture_get_provenance(get(), &provenance));
    return provenance;
  }
  /** The HDR rendition of an SDR main image; none if none was set. */
  std::optional<PixelMap> hdr_rendition() const {
    ImagePixelMap *map = nullptr;
    check(image_picture_get_hdr_rendition(get(), &map));
    return detail::optional<PixelMap>(map);
  }
  Picture &hdr_rendition(const PixelMap &map) { return set(image_picture_set_hdr_rendition(get(), map.get())); }
  /** The main image with its gain map applied, for a display whose peak is `headroom` stops above diffuse white. */
  PixelMap hdr_pixelmap(ImagePixelFormat format, float headroom) const {
    ImagePixelMap *map = nullptr;
    check(image_picture_create_hdr_pixelmap(get(), format, headroom, &map));
    return PixelMap(map);
  }
  Picture &remove_gps() { return set(image_picture_remove_gps(get())); }
  /** The file of a source with this metadata, without encoding anew: JPEG, PNG, WebP. */
  Data edited(const Source &source) const {
    ImageData *data = nullptr;
    check(image_packer_edit_metadata_to_data(source.get(), get(), &data));
    return Data(data);
  }
  void edit(const Source &source, const std::string &path) const {
    check(image_packer_edit_metadata_to_path(source.get(), get(), path.c_str()));
  }
  ImagePicture *get() const noexcept { return handle_.get(); }

 private:
  Picture &set(ImageStatus status) {
    check(status);
    return *this;
  }
  detail::Handle<ImagePicture, image_picture_release> handle_;
};

/** What became of an image: filled by packs with options that name it. */
class Report {
 public:
  Report() {
    ImageReport *report = nullptr;
    check(image_report_create(&report));
    handle_.reset(report);
  }
  std::uint64_t bytes() const {
    std::uint64_t bytes = 0;
    check(image_report_get_bytes(get(), &bytes));
    return bytes;
  }
  std::uint32_t width() const { return size().first; }
  std::uint32_t height() const { return size().second; }
  std::int32_t quality() const {
    std::int32_t quality = 0;
    check(image_report_get_quality(get(), &quality));
    return quality;
  }
  std::string format() const {
    const char *mime = "";
    check(image_report_get_format(get(), &mime));
    return mime;
  }
  std::string codec() const {
    char text[256] = "";
    check(image_report_get_codec(get(), text, sizeof text));
    return text;
  }
  /** One thing that is not in the output as it was in the input. */
  struct Warning {
    ImageWarning code;
    std::string text;
  };
  std::vector<Warning> warnings() const {
    std::size_t count = 0;
    check(image_report_get_warning_count(get(), &count));
    std::vector<Warning> warnings;
    for (std::size_t i = 0; i < count; i++) {
      ImageWarning code = 0;
      char text[512] = "";
      check(image_report_get_warning(get(), i, &code, text, sizeof text));
      warnings.push_back({code, text});
    }
    return warnings;
  }
  ImageReport *get() const noexcept { return handle_.get(); }

 private:
  std::pair<std::uint32_t, std::uint32_t> size() const {
    std::pair<std::uint32_t, std::uint32_t> size;
    check(image_report_get_size(get(), &size.first, &size.second));
    return size;
  }
  detail::Handle<ImageReport, image_report_release> handle_;
};

/** `done` of 1000 parts; false stops the pack, and so does an exception. */
using Progress = std::function<bool(std::uint32_t done)>;

namespace detail {
inline std::int32_t on_progress(void *user, std::uint32_t done) noexcept {
  try {
    return (*static_cast<Progress *>(user))(done) ? 0 : 1;
  } catch (...) {
    return 1;
  }
}
}  // namespace detail

/** What to make of an image; setters can be chained. */
class Options {
 public:
  Options(const std::string &format, std::int32_t quality) {
    ImagePackingOptions *options = nullptr;
    check(image_packing_options_create(format.c_str(), quality, &options));
    handle_.reset(options);
  }
  Options(const char *format, std::int32_t quality) : Options(std::string(format), quality) {}
  Options &quality(std::int32_t quality) { return set(image_packing_options_set_quality(get(), quality)); }
  Options &effort(std::int32_t effort) { return set(image_packing_options_set_effort(get(), effort)); }
  Options &lossless(bool lossless) { return set(image_packing_options_set_lossless(get(), lossless)); }
  Options &background(std::uint32_t rgb) { return set(image_packing_options_set_background(get(), rgb)); }
  Options &subsampling(ImageSubsampling value) { return set(image_packing_options_set_subsampling(get(), value)); }
  Options &density(std::uint16_t x_dpi, std::uint16_t y_dpi) {
    return set(image_packing_options_set_density(get(), x_dpi, y_dpi));
  }
  Options &dynamic_range(ImageDynamicRange range) { return set(image_packing_options_set_dynamic_range(get(), range)); }
  Options &needs_pack_properties(bool needed) {
    return set(image_packing_options_set_needs_pack_properties(get(), needed));
  }
  Options &tail(ImageTail tail) { return set(image_packing_options_set_tail(get(), tail)); }
  Options &sync(bool sync) { return set(image_packing_options_set_sync(get(), sync)); }
  Options &max_bytes(std::uint64_t bytes) { return set(image_packing_options_set_max_bytes(get(), bytes)); }
  Options &buffer_size(std::uint64_t size) { return set(image_packing_options_set_buffer_size(get(), size)); }
  /** IMAGE_COLOR_KEEP, or IMAGE_COLOR_SRGB to convert. */
  Options &color(ImageColorPolicy color) { return set(image_packing_options_set_color(get(), color)); }
  Options &keep_gps(bool keep) { return set(image_packing_options_set_keep_gps(get(), keep)); }
  Options &max_embed_thumbnail(std::uint32_t pixels) {
    return set(image_packing_options_set_max_embed_thumbnail(get(), pixels));
  }
  Options &timeout(std::uint32_t millis) { return set(image_packing_options_set_timeout(get(), millis)); }
  Options &report(const Report &report) { return set(image_packing_options_set_report(get(), report.get())); }
  /** Called while packing, and never after the options and the jobs that use them have gone. */
  Options &progress(Progress progress) {
    auto owner = std::make_shared<Progress>(std::move(progress));
    check(image_packing_options_set_progress(get(), *owner ? detail::on_progress : nullptr, owner.get()));
    progress_ = std::move(owner);
    return *this;
  }
  Options &set(const std::string &name, const std::string &value) {
    return set(image_packing_options_set(get(), name.c_str(), value.c_str()));
  }
  ImagePackingOptions *get() const noexcept { return handle_.get(); }
  /** What a job has to keep alive. */
  std::shared_ptr<void> kept() const { return progress_; }

 private:
  Options &set(ImageStatus status) {
    check(status);
    return *this;
  }
  std::shared_ptr<Progress> progress_; /* before the handle, which goes first */
  detail::Handle<ImagePackingOptions, image_packing_options_release> handle_;
};

/** What to make of a sequence of frames; setters can be chained. Lists are copied, their last value is for all further
 * frames. */
class SequenceOptions {
 public:
  /** `frames` of the animation; 0 is as many as come, for Sequence and for sources. */
  explicit SequenceOptions(const std::string &format, std::uint32_t frames = 0) {
    ImageSequenceOptions *options = nullptr;
    check(image_sequence_options_create(format.c_str(), frames, &options));
    handle_.reset(options);
  }
  /** In units of 10 ms. */
  SequenceOptions &delays(const std::vector<std::int32_t> &delays) {
    return set(image_sequence_options_set_delay_times(get(), delays.data(), delays.size()));
  }
  /** 0 to 3 as in GIF. */
  SequenceOptions &disposals(const std::vector<std::uint32_t> &types) {
    return set(image_sequence_options_set_disposal_types(get(), types.data(), types.size()));
  }
  /** Left and top edge of each frame: x0, y0, x1, y1 ... */
  SequenceOptions &offsets(const std::vector<std::uint32_t> &pairs) {
    return set(image_sequence_options_set_offsets(get(), pairs.data(), pairs.size() / 2));
  }
  SequenceOptions &canvas(std::uint32_t width, std::uint32_t height) {
    return set(image_sequence_options_set_canvas(get(), width, height));
  }
  /** 0 is for ever. */
  SequenceOptions &loop_count(std::uint32_t loops) { return set(image_sequence_options_set_loop_count(get(), loops)); }
  SequenceOptions &quality(std::int32_t quality) { return set(image_sequence_options_set_quality(get(), quality)); }
  SequenceOptions &effort(std::int32_t effort) { return set(image_sequence_options_set_effort(get(), effort)); }
  SequenceOptions &lossless(bool lossless) { return set(image_sequence_options_set_lossless(get(), lossless)); }
  SequenceOptions &dithering(ImageDithering value) { return set(image_sequence_options_set_dithering(get(), value)); }
  SequenceOptions &needs_pack_properties(bool needed) {
    return set(image_sequence_options_set_needs_pack_properties(get(), needed));
  }
  SequenceOptions &keep_gps(bool keep) { return set(image_sequence_options_set_keep_gps(get(), keep)); }
  /** The metadata of this picture, as it is now, goes beside the frames. */
  SequenceOptions &metadata(const Picture &picture) {
    return set(image_sequence_options_set_metadata(get(), picture.get()));
  }
  SequenceOptions &tail(ImageTail tail) { return set(image_sequence_options_set_tail(get(), tail)); }
  SequenceOptions &sync(bool sync) { return set(image_sequence_options_set_sync(get(), sync)); }
  SequenceOptions &timeout(std::uint32_t millis) { return set(image_sequence_options_set_timeout(get(), millis)); }
  SequenceOptions &report(const Report &report) { return set(image_sequence_options_set_report(get(), report.get())); }
  /** As Options::progress(). */
  SequenceOptions &progress(Progress progress) {
    auto owner = std::make_shared<Progress>(std::move(progress));
    check(image_sequence_options_set_progress(get(), *owner ? detail::on_progress : nullptr, owner.get()));
    progress_ = std::move(owner);
    return *this;
  }
  SequenceOptions &set(const std::string &name, const std::string &value) {
    return set(image_sequence_options_set(get(), name.c_str(), value.c_str()));
  }
  ImageSequenceOptions *get() const noexcept { return handle_.get(); }
  /** What a job has to keep alive. */
  std::shared_ptr<void> kept() const { return progress_; }

 private:
  SequenceOptions &set(ImageStatus status) {
    check(status);
    return *this;
  }
  std::shared_ptr<Progress> progress_; /* before the handle, which goes first */
  detail::Handle<ImageSequenceOptions, image_sequence_options_release> handle_;
};

/** Takes encoded bytes in order; false stops the pack, and so does an exception, which pack() then throws. */
using Writer = std::function<bool(const std::uint8_t *bytes, std::size_t size)>;

/** The end of a job, on a thread of the library's: on IMAGE_OK with the image, if it was packed into memory. Must not
 * throw. */
using Done = std::function<void(ImageStatus status, Data data)>;

namespace detail {
using OnWrite = Callback<const std::uint8_t *, std::size_t>;

/** What a job needs until its end. */
struct Kept {
  std::shared_ptr<void> options;
  Done done;
  OnWrite write;

  static void call(void *user, ImageStatus status, ImageData *data) noexcept {
    static_cast<Kept *>(user)->done(status, Data(data));
  }
};

/** An input that is one handle. */
template <typename T>
struct One {
  T *handle;
  template <typename Call>
  auto operator()(Call call) const {
    return call(handle);
  }
};

/** The C functions of an input and its options. */
template <typename Input, typename Choice>
struct Ways;

template <>
struct Ways<PixelMap, Options> {
  static One<ImagePixelMap> input(const PixelMap &map) { return {map.get()}; }
  static auto to_data() { return image_packer_pack_to_data; }
  static auto to_file() { return image_packer_pack_to_file; }
  static auto to_path() { return image_packer_pack_to_path; }
  static auto to_writer() { return image_packer_pack_to_writer; }
  static auto to_data_async() { return image_packer_pack_to_data_async; }
  static auto to_file_async() { return image_packer_pack_to_file_async; }
  static auto to_path_async() { return image_packer_pack_to_path_async; }
  static auto to_writer_async() { return image_packer_pack_to_writer_async; }
};

template <>
struct Ways<Source, Options> {
  static One<ImageSource> input(const Source &source) { return {source.get()}; }
  static auto to_data() { return image_packer_pack_to_data_from_source; }
  static auto to_file() { return image_packer_pack_to_file_from_source; }
  static auto to_path() { return image_packer_pack_to_path_from_source; }
  static auto to_writer() { return image_packer_pack_to_writer_from_source; }
  static auto to_data_async() { return image_packer_pack_to_data_from_source_async; }
  static auto to_file_async() { return image_packer_pack_to_file_from_source_async; }
  static auto to_path_async() { return image_packer_pack_to_path_from_source_async; }
  static auto to_writer_async() { return image_packer_pack_to_writer_from_source_async; }
};

template <>
struct Ways<Picture, Options> {
  static One<ImagePicture> input(const Picture &picture) { return {picture.get()}; }
  static auto to_data() { return image_packer_pack_to_data_from_picture; }
  static auto to_file() { return image_packer_pack_to_file_from_picture; }
  static auto to_path() { return image_packer_pack_to_path_from_picture; }
  static auto to_writer() { return image_packer_pack_to_writer_from_picture; }
  static auto to_data_async() { return image_packer_pack_to_data_from_picture_async; }
  static auto to_file_async() { return image_packer_pack_to_file_from_picture_async; }
  static auto to_path_async() { return image_packer_pack_to_path_from_picture_async; }
  static auto to_writer_async() { return image_packer_pack_to_writer_from_picture_async; }
};

template <>
struct Ways<std::vector<PixelMap>, SequenceOptions> {
  struct Many {
    std::vector<ImagePixelMap *> handles;
    template <typename Call>
    auto operator()(Call call) const {
      return call(handles.data(), handles.size());
    }
  };
  static Many input(const std::vector<PixelMap> &maps) {
    Many many;
    for (const PixelMap &map : maps) many.handles.push_back(map.get());
    return many;
  }
  static auto to_data() { return image_packer_pack_to_data_from_sequence; }
  static auto to_file() { return image_packer_pack_to_file_from_sequence; }
  static auto to_path() { return image_packer_pack_to_path_from_sequence; }
  static auto to_writer() { return image_packer_pack_to_writer_from_sequence; }
  static auto to_data_async() { return image_packer_pack_to_data_from_sequence_async; }
  static auto to_file_async() { return image_packer_pack_to_file_from_sequence_async; }
  static auto to_path_async() { return image_packer_pack_to_path_from_sequence_async; }
  static auto to_writer_async() { return image_packer_pack_to_writer_from_sequence_async; }
};

template <>
struct Ways<Source, SequenceOptions> {
  static One<ImageSource> input(const Source &source) { return {source.get()}; }
  static auto to_data() { return image_packer_pack_to_data_from_source_sequence; }
  static auto to_file() { return image_packer_pack_to_file_from_source_sequence; }
  static auto to_path() { return image_packer_pack_to_path_from_source_sequence; }
  static auto to_writer() { return image_packer_pack_to_writer_from_source_sequence; }
  static auto to_data_async() { return image_packer_pack_to_data_from_source_sequence_async; }
  static auto to_file_async() { return image_packer_pack_to_file_from_source_sequence_async; }
  static auto to_path_async() { return image_packer_pack_to_path_from_source_sequence_async; }
  static auto to_writer_async() { return image_packer_pack_to_writer_from_source_sequence_async; }
};
}  // namespace detail

/** A pack in the background. Its destructor waits for the end; cancel() first if nobody wants it any more. */
class Job {
 public:
  Job(ImageJob *handle, std::unique_ptr<detail::Kept> kept) noexcept : kept_(std::move(kept)), handle_(handle) {}
  Job(Job &&) noexcept = default;
  Job &operator=(Job other) noexcept {
    std::swap(kept_, other.kept_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  /** Waits for the end; throws if the job failed. */
  void wait() const {
    ImageStatus status = image_job_wait(get(), -1);
    if (kept_) return kept_->write.check(status);
    check(status);
  }
  /** Waits for so many milliseconds; whether the job has ended. Throws if it failed. */
  bool wait(std::uint32_t millis) const {
    ImageStatus status = image_job_wait(get(), millis);
    if (status == IMAGE_ERROR_NOT_READY) return false;
    if (kept_) kept_->write.check(status);
    check(status);
    return true;
  }
  /** Waits, and takes the image of a job into memory without a Done. */
  Data take() {
    wait();
    ImageData *data = nullptr;
    check(image_job_take_data(get(), &data));
    return Data(data);
  }
  /** How much is done, of 1000. */
  std::uint32_t progress() const {
    std::uint32_t done = 0;
    check(image_job_get_progress(get(), &done));
    return done;
  }
  void cancel() { check(image_job_cancel(get())); }
  ImageJob *get() const noexcept { return handle_.get(); }

 private:
  struct End {
    void operator()(ImageJob *job) const noexcept {
      image_job_wait(job, -1);
      image_job_release(job);
    }
  };
  std::unique_ptr<detail::Kept> kept_; /* before the handle, which goes first */
  std::unique_ptr<ImageJob, End> handle_;
};

/**
 * Packs images; one serves many threads.
 *
 * An input is a PixelMap, a Source or a Picture with Options, or a vector of PixelMaps or a Source with
 * SequenceOptions, which makes an animation of them.
 */
class Packer {
 public:
  Packer() {
    ImagePacker *packer = nullptr;
    check(image_packer_create(&packer));
    handle_.reset(packer);
  }
  Packer &threads(std::uint32_t threads) { return set(image_packer_set_threads(get(), threads)); }
  Packer &max_pixels(std::uint64_t pixels) { return set(image_packer_set_max_pixels(get(), pixels)); }
  Packer &memory_limit(std::uint64_t bytes) { return set(image_packer_set_memory_limit(get(), bytes)); }

  template <typename Input, typename Choice = Options>
  Data pack(const Input &input, const Choice &options) const {
    using Ways = detail::Ways<Input, Choice>;
    ImageData *data = nullptr;
    check(Ways::input(input)([&](auto... in) { return Ways::to_data()(get(), in..., options.get(), &data); }));
    return Data(data);
  }
  /** Into a descriptor, from its current offset. */
  template <typename Input, typename Choice = Options>
  void pack(const Input &input, int fd, const Choice &options) const {
    using Ways = detail::Ways<Input, Choice>;
    check(Ways::input(input)([&](auto... in) { return Ways::to_file()(get(), in..., fd, options.get()); }));
  }
  /** Into a file by its path: there whole, or not at all. */
  template <typename Input, typename Choice = Options>
  void pack(const Input &input, const std::string &path, const Choice &options) const {
    using Ways = detail::Ways<Input, Choice>;
    check(Ways::input(input)([&](auto... in) { return Ways::to_path()(get(), in..., path.c_str(), options.get()); }));
  }
  template <typename Input, typename Choice = Options>
  void pack(const Input &input, Writer writer, const Choice &options) const {
    using Ways = detail::Ways<Input, Choice>;
    detail::OnWrite write{std::move(writer), nullptr};
    write.check(Ways::input(input)(
        [&](auto... in) { return Ways::to_writer()(get(), in..., detail::OnWrite::call, &write, options.get()); }));
  }

  /* The same in the background. Inputs may be gone or changed when these return. */

  template <typename Input, typename Choice = Options>
  Job pack_async(const Input &input, const Choice &options, Done done = {}) const {
    using Ways = detail::Ways<Input, Choice>;
    return start<Ways>(input, options, std::move(done), [&](auto call, ImageJob **job, void *kept, auto... in) {
      return Ways::to_data_async()(get(), in..., options.get(), call, kept, job);
    });
  }
  template <typename Input, typename Choice = Options>
  Job pack_async(const Input &input, int fd, const Choice &options, Done done = {}) const {
    using Ways = detail::Ways<Input, Choice>;
    return start<Ways>(input, options, std::move(done), [&](auto call, ImageJob **job, void *kept, auto... in) {
      return Ways::to_file_async()(get(), in..., fd, options.get(), call, kept, job);
    });
  }
  template <typename Input, typename Choice = Options>
  Job pack_async(const Input &input, const std::string &path, const Choice &options, Done done = {}) const {
    using Ways = detail::Ways<Input, Choice>;
    return start<Ways>(input, options, std::move(done), [&](auto call, ImageJob **job, void *kept, auto... in) {
      return Ways::to_path_async()(get(), in..., path.c_str(), options.get(), call, kept, job);
    });
  }
  /** `writer` is called on a thread of the library's. What it throws, Job::wait() throws. */
  template <typename Input, typename Choice = Options>
  Job pack_async(const Input &input, Writer writer, const Choice &options, Done done = {}) const {
    using Ways = detail::Ways<Input, Choice>;
    return start<Ways>(
        input, options, std::move(done),
        [&](auto call, ImageJob **job, void *kept, auto... in) {
          void *write = &static_cast<detail::Kept *>(kept)->write;
          return Ways::to_writer_async()(get(), in..., detail::OnWrite::call, write, options.get(), call, kept, job);
        },
        std::move(writer));
  }
  ImagePacker *get() const noexcept { return handle_.get(); }

  /** The MIME types that this machine can write. */
  static std::vector<std::string> formats() {
    std::vector<std::string> formats;
    for (std::size_t i = 0; const char *format = image_packer_get_supported_format(i); i++)
      formats.emplace_back(format);
    return formats;
  }

 private:
  Packer &set(ImageStatus status) {
    check(status);
    return *this;
  }
  template <typename Ways, typename Input, typename Choice, typename Submit>
  Job start(const Input &input, const Choice &options, Done done, Submit submit, Writer writer = {}) const {
    auto kept = std::make_unique<detail::Kept>();
    kept->options = options.kept();
    kept->done = std::move(done);
    kept->write.function = std::move(writer);
    ImageDoneFn call = kept->done ? detail::Kept::call : nullptr;
    ImageJob *job = nullptr;
    check(Ways::input(input)([&](auto... in) { return submit(call, &job, kept.get(), in...); }));
    return Job(job, std::move(kept));
  }
  detail::Handle<ImagePacker, image_packer_release> handle_;
};

/** An animated image that takes its frames one at a time and never holds more than a few. */
class Sequence {
 public:
  /** Into memory: finish() answers the animation. */
  Sequence(const Packer &packer, const SequenceOptions &options) : kept_(options.kept()) {
    ImageSequence *sequence = nullptr;
    check(image_sequence_begin(packer.get(), options.get(), &sequence));
    handle_.reset(sequence);
  }
  /** Into a descriptor, which may be closed meanwhile. */
  Sequence(const Packer &packer, int fd, const SequenceOptions &options) : kept_(options.kept()) {
    ImageSequence *sequence = nullptr;
    check(image_sequence_begin_to_file(packer.get(), fd, options.get(), &sequence));
    handle_.reset(sequence);
  }
  Sequence(const Packer &packer, const std::string &path, const SequenceOptions &options) : kept_(options.kept()) {
    ImageSequence *sequence = nullptr;
    check(image_sequence_begin_to_path(packer.get(), path.c_str(), options.get(), &sequence));
    handle_.reset(sequence);
  }
  /** What the writer throws, the call that adds a frame or finishes throws. */
  Sequence(const Packer &packer, Writer writer, const SequenceOptions &options)
      : kept_(options.kept()), write_(new detail::OnWrite{std::move(writer), nullptr}) {
    ImageSequence *sequence = nullptr;
    check(image_sequence_begin_to_writer(packer.get(), detail::OnWrite::call, write_.get(), options.get(), &sequence));
    handle_.reset(sequence);
  }
  /** `delay` in units of 10 ms, 0: as the options say; `disposal` 0 to 3, -1: as the options say. */
  Sequence &add(const PixelMap &frame, std::int32_t delay = 0, std::int32_t disposal = -1) {
    return done(image_sequence_add_frame(get(), frame.get(), delay, disposal));
  }
  Sequence &add_at(std::uint32_t x, std::uint32_t y, const PixelMap &frame, std::int32_t delay = 0,
                   std::int32_t disposal = -1) {
    return done(image_sequence_add_frame_at(get(), frame.get(), x, y, delay, disposal));
  }
  /** The animation; without bytes if it went elsewhere. */
  Data finish() {
    ImageData *data = nullptr;
    done(image_sequence_finish(get(), &data));
    return Data(data);
  }
  /** From any thread: ends the call in progress and all later ones. */
  void cancel() const { check(image_sequence_cancel(get())); }
  ImageSequence *get() const noexcept { return handle_.get(); }

 private:
  Sequence &done(ImageStatus status) {
    if (write_) write_->check(status);
    check(status);
    return *this;
  }
  std::shared_ptr<void> kept_; /* these before the handle, which goes first */
  std::unique_ptr<detail::OnWrite> write_;
  detail::Handle<ImageSequence, image_sequence_release> handle_;
};

/** The end of an image of a batch, on a thread of the library's, with its bytes if the batch packs into memory of each
 * image's own. Must not throw. */
using Item = std::function<void(std::size_t index, ImageStatus status, Data data)>;

/** Many images at once. Its destructor waits for the end of a batch that was started; cancel() first if nobody wants
 * it. */
class Batch {
 public:
  explicit Batch(const Packer &packer) {
    ImageBatch *batch = nullptr;
    check(image_batch_create(packer.get(), &batch));
    handle_.reset(batch);
  }
  Batch(Batch &&) noexcept = default;
  Batch &operator=(Batch other) noexcept {
    std::swap(item_, other.item_);
    std::swap(kept_, other.kept_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  Batch &add(const PixelMap &map, const Options &options) {
    return keep(options, image_batch_add_pixelmap(get(), map.get(), options.get()));
  }
  Batch &add(const Source &source, const Options &options) {
    return keep(options, image_batch_add_source(get(), source.get(), options.get()));
  }
  Batch &add(const Picture &picture, const Options &options) {
    return keep(options, image_batch_add_picture(get(), picture.get(), options.get()));
  }
  /** All images into one piece of memory, for take_arena(). */
  Batch &to_arena() { return set(image_batch_to_arena(get())); }
  /** Image i into descriptor i. */
  Batch &to_files(const std::vector<int> &fds) { return set(image_batch_to_files(get(), fds.data(), fds.size())); }
  /** Image i into a file named after the stem of name i. */
  Batch &to_folder(const std::string &folder, const std::vector<std::string> &names,
                   ImageSameName same = IMAGE_SAME_NAME_ERROR) {
    std::vector<const char *> list;
    for (const std::string &name : names) list.push_back(name.c_str());
    return set(image_batch_to_folder(get(), folder.c_str(), list.data(), list.size(), same));
  }
  /** prefix + stem + suffix + "." + extension; an empty extension is the format's. */
  Batch &names(const std::string &prefix, const std::string &suffix = "", const std::string &extension = "") {
    return set(
        image_batch_set_names(get(), prefix.c_str(), suffix.c_str(), extension.empty() ? nullptr : extension.c_str()));
  }
  Batch &start(Item item = {}) {
    item_ = std::make_unique<Item>(std::move(item));
    ImageItemFn call = [](void *user, std::size_t index, ImageStatus status, ImageData *data) {
      (*static_cast<Item *>(user))(index, status, Data(data));
    };
    return set(image_batch_start(get(), *item_ ? call : nullptr, nullptr, item_.get()));
  }
  /** Waits for the end of all images; throws the first error in their order, if any. */
  void wait() const { check(image_batch_wait(get(), -1)); }
  void cancel() { check(image_batch_cancel(get())); }
  ImageStatus status(std::size_t index) const noexcept { return image_batch_get_status(get(), index); }
  /** Nanoseconds that an image was worked on. */
  std::uint64_t time(std::size_t index) const noexcept { return image_batch_get_time(get(), index); }
  Data take(std::size_t index) {
    ImageData *data = nullptr;
    check(image_batch_take_data(get(), index, &data));
    return Data(data);
  }
  /** All bytes, and where each image begins and ends. */
  std::pair<Data, Data> take_arena() {
    ImageData *bytes = nullptr, *offsets = nullptr;
    check(image_batch_take_arena(get(), &bytes, &offsets));
    return {Data(bytes), Data(offsets)};
  }
  ImageBatch *get() const noexcept { return handle_.get(); }

 private:
  struct End {
    void operator()(ImageBatch *batch) const noexcept {
      image_batch_wait(batch, -1);
      image_batch_release(batch);
    }
  };
  Batch &set(ImageStatus status) {
    check(status);
    return *this;
  }
  Batch &keep(const Options &options, ImageStatus status) {
    if (auto kept = options.kept()) kept_.push_back(std::move(kept));
    return set(status);
  }
  std::unique_ptr<Item> item_; /* these before the handle, which goes first */
  std::vector<std::shared_ptr<void>> kept_;
  std::unique_ptr<ImageBatch, End> handle_;
};

}  // namespace image_packer

#endif /* IMAGE_PACKER_HPP */
