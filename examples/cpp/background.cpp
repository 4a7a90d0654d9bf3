// In the background: jobs with a function at their end, many images as one batch, and metadata without encoding anew.
#include <atomic>
#include <cmath>
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
  const std::uint32_t side = 64;
  std::vector<std::uint8_t> rgb(side * side * 3);
  for (std::size_t i = 0; i < rgb.size(); i++) rgb[i] = std::uint8_t(i * 7 / 3);
  auto pixels = ip::PixelMap::copy(side, side, IMAGE_PIXEL_FORMAT_RGB_888, rgb);

  ip::Packer packer;
  ip::Data expected = packer.pack(pixels, {"image/jpeg", 90});
  std::atomic<std::size_t> size{0};
  std::atomic<std::uint32_t> told{0};
  {
    // The options may go before the job, which keeps the progress function.
    ip::Job job = [&] {
      ip::Options options("image/jpeg", 90);
      options.progress([&](std::uint32_t done) {
        told = done;
        return true;
      });
      return packer.pack_async(pixels, options, [&](ImageStatus status, ip::Data data) {
        if (status == IMAGE_OK) size = data.size();
      });
    }();
    // At its end a job waits.
  }
  expect(size == expected.size() && told == 1000, "the function at the end had the image");

  std::vector<std::uint8_t> written;
  ip::Job writing = packer.pack_async(pixels,
                                      [&](const std::uint8_t *bytes, std::size_t count) {
                                        written.insert(written.end(), bytes, bytes + count);
                                        return true;
                                      },
                                      {"image/jpeg", 90});
  writing.wait();
  expect(writing.progress() == 1000 && written.size() == expected.size(), "the writer had it");
  ip::Job failing = packer.pack_async(
      pixels, [](const std::uint8_t *, std::size_t) -> bool { throw std::runtime_error("full"); }, {"image/png", 90});
  try {
    failing.wait();
    expect(false, "a writer can fail");
  } catch (const std::runtime_error &error) {
    expect(std::string(error.what()) == "full", "with its own exception");
  }
  failing = packer.pack_async(pixels, std::string("background.png"), {"image/png", 90});
  expect(failing.wait(60000) && ip::Source::open("background.png").width() == side, "into a file");

  // Many at once; each says when it is done.
  std::atomic<int> items{0};
  ip::Batch batch(packer);
  for (int i = 0; i < 20; i++) batch.add(pixels, {i % 2 ? "image/jpeg" : "image/webp", 80});
  batch.to_arena().start([&](std::size_t, ImageStatus status, ip::Data) { items += status == IMAGE_OK; });
  batch.wait();
  auto [bytes, offsets] = batch.take_arena();
  expect(items == 20 && offsets.size() == 21 * 8 && batch.status(19) == IMAGE_OK, "twenty images");
  std::int64_t last = 0;
  std::memcpy(&last, offsets.data() + 20 * 8, sizeof last);
  expect(last > 0 && std::size_t(last) == bytes.size(), "one piece of memory");
  ip::Batch never(packer);  // one that is not started is forgotten

  // Metadata of a file, changed without touching its image.
  auto source = ip::Source::copy(expected);
  auto about = ip::Picture::metadata_of(source);
  expect(!about.main() && !about.property(IMAGE_PROPERTY_MAKE) && std::isnan(about.gps().latitude), "nothing yet");
  about.property(IMAGE_PROPERTY_MAKE, "Maker").gps({48.1, 11.6, 520}).orientation(6);
  auto edited = ip::Picture::decode(ip::Source::copy(about.edited(source)));
  expect(edited.property(IMAGE_PROPERTY_MAKE) == "Maker" && edited.orientation() == 1, "pixels stand upright now");
  expect(std::fabs(edited.gps().longitude - 11.6) < 1e-5 && edited.main()->width() == side, "and know their place");

  // What a format has no place for, a report tells.
  ip::Report report;
  edited.auxiliary(IMAGE_AUXILIARY_DEPTH_MAP, pixels).remove_gps();
  ip::Data png = packer.pack(edited, ip::Options("image/png", 90).report(report).needs_pack_properties(true));
  bool dropped = false;
  for (const auto &warning : report.warnings()) dropped |= warning.code == IMAGE_WARNING_AUXILIARY_DROPPED;
  expect(dropped && report.bytes() == png.size(), "the depth map is dropped, and that is told");
  std::printf("%d images in a batch of %zu bytes, %s\n", items.load(), bytes.size(), report.codec().c_str());
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
