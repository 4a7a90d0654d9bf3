// The C++ header: values own their handles, failures are exceptions, callbacks are lambdas.
#include <array>
#include <cstdio>
#include <image_packer.hpp>
#include <stdexcept>
#include <vector>

namespace ip = image_packer;

static void expect(bool holds, const char *what) {
  if (!holds) throw std::logic_error(what);
}

int main() try {
  std::vector<std::uint8_t> rgba(6 * 4 * 4);
  for (std::size_t i = 0; i < rgba.size(); i++) rgba[i] = i % 4 == 3 ? 255 : std::uint8_t(i * 2);

  ip::Packer packer;
  auto pixels = ip::PixelMap::copy(6, 4, IMAGE_PIXEL_FORMAT_RGBA_8888, rgba);
  ip::Data jpeg = packer.pack(pixels, {"image/jpeg", 98});
  std::printf("JPEG: %zu bytes\n", jpeg.size());

  // Back again, and into a PNG through a lambda.
  auto source = ip::Source::copy(jpeg);
  expect(source.format() == "image/jpeg" && source.decode().width() == 6, "the JPEG is what was packed");
  std::vector<std::uint8_t> png;
  packer.pack(
      source,
      [&](const std::uint8_t *bytes, std::size_t size) {
        png.insert(png.end(), bytes, bytes + size);
        return true;
      },
      ip::Options("image/png", 100).effort(1));
  expect(png.size() > 8 && png[1] == 'P', "a PNG arrived");

  // Borrowed memory comes back; what a callback throws arrives here.
  bool back = false;
  {
    std::array<std::uint8_t, 12> gray{};
    auto borrowed = ip::PixelMap::borrow(4, 3, IMAGE_PIXEL_FORMAT_GRAY_8, gray, 0, [&] { back = true; });
    try {
      packer.pack(borrowed, [](const std::uint8_t *, std::size_t) -> bool { throw std::runtime_error("full"); },
                  {"image/png", 100});
      expect(false, "the callback's exception is thrown");
    } catch (const std::runtime_error &error) {
      expect(std::string(error.what()) == "full", "it is the callback's own exception");
    }
  }
  expect(back, "borrowed memory comes back");

  try {
    ip::PixelMap::copy(6, 4, IMAGE_PIXEL_FORMAT_RGBA_8888, rgba, 20);
    expect(false, "a short stride is refused");
  } catch (const ip::Error &error) {
    expect(error.status() == IMAGE_ERROR_INVALID_ARGUMENT, "the status of a bad argument");
    std::printf("refused: %s\n", error.what());
  }
  for (const auto &format : ip::Packer::formats()) std::printf("can write %s\n", format.c_str());
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
