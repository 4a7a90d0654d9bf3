// A camera's frame in two planes, into a file that is complete and stored when the call returns; and read again through
// a function, with colours described and progress shown.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <image_packer.hpp>
#include <stdexcept>
#include <vector>

namespace ip = image_packer;

static void expect(bool holds, const char *what) {
  if (!holds) throw std::logic_error(what);
}

int main() try {
  const std::uint32_t width = 64, height = 48;
  std::vector<std::uint8_t> luma(80 * height, 120), chroma(80 * height / 2, 128);  // rows are 80 bytes apart

  ip::Packer packer;
  bool back = false;
  {
    auto frame = ip::PixelMap::borrow_planes(width, height, IMAGE_PIXEL_FORMAT_NV12, {{luma, 80}, {chroma, 80}},
                                             [&] { back = true; });
    frame.cicp(1, 13, 6, true);  // sRGB colours, the matrix of JPEG, full range
    std::uint32_t done = 0;
    ip::Options options("image/jpeg", 90);
    options.density(300, 300).sync(true).tail(IMAGE_TAIL_CUT).progress([&](std::uint32_t now) {
      expect(now >= done && now <= 1000, "progress never goes back");
      done = now;
      return true;
    });
    packer.pack(frame, std::string("camera.jpg"), options);
    expect(done == 1000, "a pack that succeeds reports 1000");

    options.progress([](std::uint32_t) { return false; });
    try {
      packer.pack(frame, options);
      expect(false, "a progress function can stop a pack");
    } catch (const ip::Error &error) {
      expect(error.cause() == IMAGE_CAUSE_CANCELLED, "and the cause says so");
    }
  }
  expect(back, "the camera has its buffers again");

  // From wherever the bytes are: here a file that is read piece by piece.
  std::FILE *file = std::fopen("camera.jpg", "rb");
  expect(file != nullptr, "the file is there");
  auto source = ip::Source::reader([file](std::uint64_t offset, std::uint8_t *buffer, std::size_t capacity) {
    if (std::fseek(file, static_cast<long>(offset), SEEK_SET) != 0) throw std::runtime_error("cannot seek");
    return std::fread(buffer, 1, capacity, file);
  });
  expect(source.width() == width && source.height() == height, "its size");
  ip::Data webp = packer.pack(source, ip::Options("image/webp", 80));
  std::fclose(file);

  // Pixels that were decoded can be described anew; bytes that are lent come back.
  bool returned = false;
  {
    auto pixels = ip::Source::borrow(webp, [&] { returned = true; }).decode();
    expect(pixels.width() == width, "decoded");
    pixels.cicp(9, 16, 0, true).content_light_level(1000, 400);  // BT.2020 PQ
    expect(packer.pack(pixels, ip::Options("image/png", 100).dynamic_range(IMAGE_DYNAMIC_RANGE_SDR)).size() > 0, "PNG");
  }
  expect(returned, "lent bytes come back");
  try {
    ip::Source::reader([](std::uint64_t, std::uint8_t *, std::size_t) -> std::size_t { throw 1; });
    expect(false, "a reader that fails is an error");
  } catch (const ip::Error &error) {
    std::printf("refused: %s\n", error.what());
  }
  std::printf("%zu bytes of WebP from a camera's frame\n", webp.size());
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
