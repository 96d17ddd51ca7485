#include "fleet/images/image.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <vector>

#include <nlohmann/json.hpp>

#include "fleet/images/edit.hpp"
#include "fleet/images/forms.hpp"
#include "fleet/images/packed.hpp"
#include "json/nesting.hpp"
#include "ring/ring_edit.hpp"

namespace fleet {
namespace {

// A line of JSON; then for each vnode a byte of its owner's number among the names, the lower, and
// where there are more than 256 names, for each vnode the higher one. Apart they pack better. Names
// are sorted, so that the same ring has the same image wherever it is made.
constexpr std::string_view kRingForm = "MRI1";
// A line of JSON; then a bit for each vnode, the lowest of the first byte first.
constexpr std::string_view kVnodesForm = "MVI1";

constexpr std::size_t kNamesOfOneByte = 256;

/// By name, and no vnode owned by another.
void sort_pnodes(ring::RingParts& parts) {
  std::vector<std::uint16_t> order(parts.pnodes.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  std::sort(order.begin(), order.end(),
            [&](auto one, auto other) { return parts.pnodes[one] < parts.pnodes[other]; });
  std::vector<std::string> names;
  std::vector<std::uint16_t> place(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    names.push_back(std::move(parts.pnodes[order[i]]));
    place[order[i]] = static_cast<std::uint16_t>(i);
  }
  parts.pnodes = std::move(names);
  for (std::uint16_t& owner : parts.owners) owner = place[owner];
}

std::string vnodes_bytes(const ring::VnodeSet& set, std::uint32_t vnodes) {
  return nlohmann::ordered_json{{"form", kVnodesForm}, {"vnodes", vnodes}}.dump() + '\n' +
         bits_of(set, vnodes);
}

std::string text_of(const Geometry& geometry) {
  return std::to_string(geometry.vnodes) + " vnodes by " +
         std::string(ring::to_string(geometry.algorithm)) + ", interval " + geometry.interval_hex;
}

/// Before anything is computed from them.
void check_texts(const ring::RingParts& parts) {
  for (const std::string& name : parts.pnodes)
    if (name.size() > kNameBytesMost)
      throw std::invalid_argument("an image has a pnode's name of " + std::to_string(name.size()) +
                                  " bytes");
  for (const auto& [vnode, text] : parts.data)
    if (json::parse_bounded<nlohmann::json>(text).is_discarded())
      throw std::invalid_argument("an image has data of vnode " + std::to_string(vnode) +
                                  " that are not JSON");
}

}  // namespace

Geometry geometry_of(const ring::Ring& ring) {
  return {ring.algorithm(), ring.vnode_count(), ring.interval_hex()};
}

/// Two bytes are an owner's; data of each vnode would take about as much again, packed.
std::size_t image_bytes_most(const Geometry& geometry) {
  constexpr std::size_t kHead = 1U << 20, kEach = 6;
  return std::min(kUnpackedBytesMost, kHead + kEach * geometry.vnodes);
}

std::string to_text(const Geometry& geometry) {
  return nlohmann::ordered_json{{"v", 1},
                                {"algorithm", ring::to_string(geometry.algorithm)},
                                {"vnodes", geometry.vnodes},
                                {"interval", geometry.interval_hex}}
      .dump();
}

Geometry geometry_from(std::string_view text) {
  const auto in = json::parse_bounded<nlohmann::json>(text);
  try {
    if (!in.is_object() || in.at("v") != 1)
      throw std::invalid_argument("a fleet's root is not in a form that this program knows");
    const auto name = in.at("algorithm").get<std::string>();
    const auto algorithm = ring::algorithm_named(name);
    if (!algorithm) throw std::invalid_argument("a fleet's root names the algorithm " + name);
    return {*algorithm, in.at("vnodes").get<std::uint32_t>(), in.at("interval").get<std::string>()};
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(std::string("a fleet's root: ") + error.what());
  }
}

Image image_of(const ring::Ring& ring) {
  ring::RingParts parts = ring::parts_of(ring);
  sort_pnodes(parts);
  std::string bytes = nlohmann::ordered_json{{"form", kRingForm},
                                             {"algorithm", static_cast<int>(parts.algorithm)},
                                             {"interval", parts.interval_hex},
                                             {"vnodes", parts.owners.size()},
                                             {"pnodes", parts.pnodes},
                                             {"data", parts.data}}
                          .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                      '\n';
  for (const std::uint16_t owner : parts.owners) bytes += static_cast<char>(owner & 0xff);
  if (parts.pnodes.size() > kNamesOfOneByte)
    for (const std::uint16_t owner : parts.owners) bytes += static_cast<char>(owner >> 8);
  return {ring.digest(), packed(bytes)};
}

std::shared_ptr<const ring::Ring> ring_from(const Image& image, const Geometry& geometry) {
  if (const auto base = base_of(image.bytes))
    throw std::invalid_argument("an image makes its ring of ring " + *base + ", and is not whole");
  try {
    const auto [head, body] =
        opened(image.bytes, kRingForm, kHeadBytesMost, 2 * std::size_t{geometry.vnodes});
    ring::RingParts parts;
    parts.algorithm = static_cast<ring::Algorithm>(head.at("algorithm").get<int>());
    head.at("interval").get_to(parts.interval_hex);
    const Geometry own{parts.algorithm, head.at("vnodes").get<std::uint32_t>(), parts.interval_hex};
    if (own != geometry)
      throw std::invalid_argument("an image is of a ring of " + text_of(own) +
                                  ", and the fleet's is of " + text_of(geometry));
    head.at("pnodes").get_to(parts.pnodes);
    head.at("data").get_to(parts.data);
    check_texts(parts);
    const std::size_t vnodes = own.vnodes;
    const bool two = parts.pnodes.size() > kNamesOfOneByte;
    if (body.size() != vnodes * (two ? 2 : 1))
      throw std::invalid_argument("an image has not as many owners as it says");
    parts.owners.reserve(vnodes);
    for (std::size_t i = 0; i < vnodes; ++i) {
      const int higher = two ? static_cast<unsigned char>(body[vnodes + i]) : 0;
      parts.owners.push_back(
          static_cast<std::uint16_t>(static_cast<unsigned char>(body[i]) | higher << 8));
    }
    auto ring = ring::Ring::make(std::move(parts));
    if (ring->digest() != image.digest)
      throw std::invalid_argument("an image is of ring " + ring->digest() + ", not of " +
                                  image.digest);
    return ring;
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(std::string("an image's head: ") + error.what());
  }
}

std::string digest_of(const ring::VnodeSet& set, std::uint32_t vnodes) {
  return sha256_of(vnodes_bytes(set, vnodes));
}

Image image_of(const ring::VnodeSet& set, std::uint32_t vnodes) {
  const std::string bytes = vnodes_bytes(set, vnodes);
  return {sha256_of(bytes), packed(bytes)};
}

ring::VnodeSet vnodes_from(const Image& image, const Geometry& geometry) {
  try {
    const auto [head, body] = opened(image.bytes, kVnodesForm, kHeadBytesMost, geometry.vnodes);
    const auto vnodes = head.at("vnodes").get<std::uint32_t>();
    if (vnodes != geometry.vnodes)
      throw std::invalid_argument("an image is of vnodes of another ring");
    auto set = set_of_bits(body, vnodes);
    if (digest_of(set, vnodes) != image.digest)
      throw std::invalid_argument("an image is of other vnodes than " + image.digest + " says");
    return set;
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(std::string("an image's head: ") + error.what());
  }
}

}  // namespace fleet
