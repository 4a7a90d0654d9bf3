// Animations in C++: from an array, from a source, frame by frame; with metadata, in the background, and with a report.
#include <cstdio>
#include <cstring>
#include <image_packer.hpp>
#include <stdexcept>
#include <vector>

namespace ip = image_packer;

static void expect(bool holds, const char *what) {
  if (!holds) throw std::logic_error(what);
}

static bool same(const ip::Data &a, const ip::Data &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

int main() try {
  const std::uint32_t side = 48;
  std::vector<ip::PixelMap> frames;
  for (int frame = 0; frame < 8; frame++) {
    std::vector<std::uint8_t> rgb(side * side * 3, 230);
    for (std::uint32_t y = 10; y < 20; y++) std::memset(&rgb[(y * side + std::uint32_t(frame) * 4) * 3], 40, 30);
    frames.push_back(ip::PixelMap::copy(side, side, IMAGE_PIXEL_FORMAT_RGB_888, rgb));
  }

  ip::Packer packer;
  ip::Report report;
  ip::Picture about(frames[0]);
  about.property(IMAGE_PROPERTY_SOFTWARE, "animation.cpp").density(150, 150);
  ip::SequenceOptions options("image/png", 8);
  options.delays({4, 4, 4, 50}).disposals({1}).loop_count(3).metadata(about).report(report);
  ip::Data apng = packer.pack(frames, options);
  expect(report.bytes() == apng.size() && report.width() == side && report.format() == "image/png", "the report");

  // Frame by frame, into the same bytes.
  ip::Sequence sequence(packer, options);
  for (const auto &frame : frames) sequence.add(frame);
  expect(same(sequence.finish(), apng), "a stream makes the same file");
  try {
    sequence.add(frames[0]);
    expect(false, "a finished sequence takes no frames");
  } catch (const ip::Error &error) {
    std::printf("refused: %s\n", error.what());
  }

  // Into another format, with delays, loops and metadata, in the background.
  auto source = ip::Source::copy(apng);
  expect(source.frames() == 8 && source.loop_count() == 3 && source.frame_delay(7) == 500, "what was packed");
  ip::Job job = packer.pack_async(source, ip::SequenceOptions("image/webp").lossless(true).needs_pack_properties(true));
  auto webp = ip::Source::copy(job.take());
  expect(webp.loop_count() == 3 && webp.frame_delay(7) == 500, "what was kept");
  expect(ip::Picture::metadata_of(webp).property(IMAGE_PROPERTY_SOFTWARE) == "animation.cpp", "metadata came along");

  // What a writer throws is thrown here; a sequence that is cancelled ends.
  ip::Sequence failing(
      packer, [](const std::uint8_t *, std::size_t) -> bool { throw std::runtime_error("full"); },
      ip::SequenceOptions("image/gif"));
  try {
    for (const auto &frame : frames) failing.add(frame);
    failing.finish();
    expect(false, "a writer can fail");
  } catch (const std::runtime_error &error) {
    expect(std::string(error.what()) == "full", "with its own exception");
  }
  ip::Sequence stopped(packer, std::string("never.gif"), ip::SequenceOptions("image/gif"));
  stopped.cancel();
  try {
    stopped.add(frames[0]);
    expect(false, "a cancelled sequence takes no frames");
  } catch (const ip::Error &error) {
    expect(error.cause() == IMAGE_CAUSE_CANCELLED, "and says why");
  }
  std::printf("%zu bytes of APNG\n", apng.size());
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
