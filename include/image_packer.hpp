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

/** `done` of 1000 parts; false stops the pack, and so does an exception. */
using Progress = std::function<bool(std::uint32_t done)>;

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
  /** Called while packing; lives as long as the options do, which must outlive the pack. */
  Options &progress(Progress progress) {
    ImageProgressFn call = [](void *user, std::uint32_t done) -> std::int32_t {
      try {
        return (*static_cast<Progress *>(user))(done) ? 0 : 1;
      } catch (...) {
        return 1;
      }
    };
    auto owner = std::make_unique<Progress>(std::move(progress));
    check(image_packing_options_set_progress(get(), *owner ? call : nullptr, owner.get()));
    progress_ = std::move(owner);
    return *this;
  }
  Options &set(const std::string &name, const std::string &value) {
    return set(image_packing_options_set(get(), name.c_str(), value.c_str()));
  }
  ImagePackingOptions *get() const noexcept { return handle_.get(); }

 private:
  Options &set(ImageStatus status) {
    check(status);
    return *this;
  }
  std::unique_ptr<Progress> progress_; /* before the handle, which goes first */
  detail::Handle<ImagePackingOptions, image_packing_options_release> handle_;
};

/** Takes encoded bytes in order; false stops the pack, and so does an exception, which pack() then throws. */
using Writer = std::function<bool(const std::uint8_t *bytes, std::size_t size)>;

/** Packs images; one serves many threads. */
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

  Data pack(const PixelMap &pixels, const Options &options) const {
    ImageData *data = nullptr;
    check(image_packer_pack_to_data(get(), pixels.get(), options.get(), &data));
    return Data(data);
  }
  Data pack(const Source &source, const Options &options) const {
    ImageData *data = nullptr;
    check(image_packer_pack_to_data_from_source(get(), source.get(), options.get(), &data));
    return Data(data);
  }
  /** Into a descriptor, from its current offset. */
  void pack(const PixelMap &pixels, int fd, const Options &options) const {
    check(image_packer_pack_to_file(get(), pixels.get(), fd, options.get()));
  }
  void pack(const Source &source, int fd, const Options &options) const {
    check(image_packer_pack_to_file_from_source(get(), source.get(), fd, options.get()));
  }
  /** Into a file by its path: there whole, or not at all. */
  void pack(const PixelMap &pixels, const std::string &path, const Options &options) const {
    check(image_packer_pack_to_path(get(), pixels.get(), path.c_str(), options.get()));
  }
  void pack(const Source &source, const std::string &path, const Options &options) const {
    check(image_packer_pack_to_path_from_source(get(), source.get(), path.c_str(), options.get()));
  }
  void pack(const PixelMap &pixels, Writer writer, const Options &options) const {
    OnWrite write{std::move(writer), nullptr};
    write.check(image_packer_pack_to_writer(get(), pixels.get(), OnWrite::call, &write, options.get()));
  }
  void pack(const Source &source, Writer writer, const Options &options) const {
    OnWrite write{std::move(writer), nullptr};
    write.check(image_packer_pack_to_writer_from_source(get(), source.get(), OnWrite::call, &write, options.get()));
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
  using OnWrite = detail::Callback<const std::uint8_t *, std::size_t>;
  Packer &set(ImageStatus status) {
    check(status);
    return *this;
  }
  detail::Handle<ImagePacker, image_packer_release> handle_;
};

}  // namespace image_packer

#endif /* IMAGE_PACKER_HPP */
