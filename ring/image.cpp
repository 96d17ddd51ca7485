#include "ring/image.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

#include "ring/ring_edit.hpp"

namespace ring {
namespace {

// A line of JSON, then two bytes for each vnode: its owner, low byte first.
constexpr const char* kForm = "moray-router ring image 1";

}  // namespace

std::string to_image(const Ring& ring) {
  const RingParts parts = parts_of(ring);
  std::string image = nlohmann::json{{"form", kForm},
                                     {"algorithm", static_cast<int>(parts.algorithm)},
                                     {"interval", parts.interval_hex},
                                     {"version", parts.version},
                                     {"pnodes", parts.pnodes},
                                     {"data", parts.data},
                                     {"digest", ring.digest()},
                                     {"vnodes", parts.owners.size()}}
                          .dump() +
                      "\n";
  image.reserve(image.size() + 2 * parts.owners.size());
  for (const std::uint16_t owner : parts.owners) {
    image += static_cast<char>(owner & 0xff);
    image += static_cast<char>(owner >> 8);
  }
  return image;
}

std::shared_ptr<const Ring> from_image(std::string_view image) {
  const std::size_t line = image.find('\n');
  if (line == std::string_view::npos) throw std::invalid_argument("the image of a ring is cut off");
  try {
    const auto head = nlohmann::json::parse(image.substr(0, line));
    if (head.at("form") != kForm)
      throw std::invalid_argument("the image of a ring is of another form");
    const std::string_view owners = image.substr(line + 1);
    RingParts parts;
    parts.algorithm = static_cast<Algorithm>(head.at("algorithm").get<int>());
    head.at("interval").get_to(parts.interval_hex);
    head.at("version").get_to(parts.version);
    head.at("pnodes").get_to(parts.pnodes);
    head.at("data").get_to(parts.data);
    const auto vnodes = head.at("vnodes").get<std::size_t>();
    if (owners.size() != 2 * vnodes) throw std::invalid_argument("the image of a ring is cut off");
    parts.owners.reserve(vnodes);
    for (std::size_t i = 0; i < vnodes; ++i)
      parts.owners.push_back(
          static_cast<std::uint16_t>(static_cast<unsigned char>(owners[2 * i]) |
                                     static_cast<unsigned char>(owners[2 * i + 1]) << 8));
    auto ring = Ring::make(std::move(parts));
    if (ring->digest() != head.at("digest").get<std::string>())
      throw std::invalid_argument("the image of a ring is damaged");
    return ring;
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(std::string("the image of a ring: ") + error.what());
  }
}

}  // namespace ring
