#include "fleet/images/edit.hpp"

#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "fleet/images/forms.hpp"
#include "fleet/images/packed.hpp"
#include "ring/ring_edit.hpp"

namespace fleet {
namespace {

// "MRE1 ", the base's digest and a line feed, as they are: who lacks the base unpacks nothing.
// Then, packed, a line of JSON, and a bit for each vnode.
constexpr std::string_view kEditForm = "MRE1";
constexpr std::size_t kDigestDigits = 64;
constexpr std::size_t kEditHeadBytesMost = 64U << 10;  // a text within a text may be twice as long
constexpr std::size_t kLineBytes = kEditForm.size() + 1 + kDigestDigits + 1;

constexpr const char* kPnode = "pnode";
constexpr const char* kData = "data";

/// A vnode has its data to itself: a few bytes of an edit would be gigabytes of a ring.
void check_size(const Edit& edit) {
  const std::uint64_t each = edit.gives == Edit::Gives::data ? edit.vnodes.size() : 1;
  const std::size_t most = edit.gives == Edit::Gives::data ? kEditDataBytesMost : kNameBytesMost;
  if (edit.value.size() > most || edit.value.size() * each > kHeadBytesMost)
    throw std::invalid_argument("an edit gives " + std::to_string(edit.value.size()) +
                                " bytes, to " + std::to_string(each) + " vnodes: too many");
}

}  // namespace

Image image_of(const Edit& edit, const ring::Ring& made) {
  check_size(edit);
  const std::uint32_t vnodes = made.vnode_count();
  const std::string head =
      nlohmann::ordered_json{{"form", kEditForm},
                             {"vnodes", vnodes},
                             {edit.gives == Edit::Gives::pnode ? kPnode : kData, edit.value}}
          .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
      '\n';
  return {made.digest(), std::string(kEditForm) + ' ' + edit.base + '\n' +
                             packed(head + bits_of(edit.vnodes, vnodes))};
}

std::optional<std::string> base_of(std::string_view image_bytes) {
  if (image_bytes.size() < kLineBytes || !image_bytes.starts_with(kEditForm) ||
      image_bytes[kEditForm.size()] != ' ' || image_bytes[kLineBytes - 1] != '\n')
    return std::nullopt;
  const std::string_view digest = image_bytes.substr(kEditForm.size() + 1, kDigestDigits);
  if (digest.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  return std::string(digest);
}

bool stands_for(std::string_view there, const Image& image) {
  return there == image.bytes || !base_of(there);
}

Edit edit_from(const Image& image, const Geometry& geometry) {
  Edit edit;
  const auto base = base_of(image.bytes);
  if (!base) throw std::invalid_argument("an image is no edit of a ring");
  edit.base = *base;
  try {
    const std::size_t bits = (std::size_t{geometry.vnodes} + 7) / 8;
    const auto [head, body] = opened(std::string_view(image.bytes).substr(kLineBytes), kEditForm,
                                     kEditHeadBytesMost, bits);
    if (head.at("vnodes") != geometry.vnodes || head.contains(kPnode) == head.contains(kData))
      throw std::invalid_argument(
          "an image is an edit of a ring of another number of vnodes, or "
          "does not say what it gives them");
    edit.gives = head.contains(kPnode) ? Edit::Gives::pnode : Edit::Gives::data;
    head.at(edit.gives == Edit::Gives::pnode ? kPnode : kData).get_to(edit.value);
    edit.vnodes = set_of_bits(body, geometry.vnodes);
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(std::string("an image's head: ") + error.what());
  }
  check_size(edit);
  return edit;
}

std::shared_ptr<const ring::Ring> ring_from(const Image& image, const ring::Ring& base,
                                            const Geometry& geometry) {
  const Edit edit = edit_from(image, geometry);
  if (edit.base != base.digest() || geometry_of(base) != geometry)
    throw std::invalid_argument("an image is an edit of ring " + edit.base + ", not of " +
                                base.digest());
  auto ring = edit.gives == Edit::Gives::pnode ? ring::remapped(base, edit.vnodes, edit.value)
                                               : ring::with_data(base, edit.vnodes, edit.value);
  if (ring->digest() != image.digest)
    throw std::invalid_argument("an image makes ring " + ring->digest() + " of ring " + edit.base +
                                ", not " + image.digest);
  return ring;
}

}  // namespace fleet
