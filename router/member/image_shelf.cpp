#include "router/member/image_shelf.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "fleet/images/image.hpp"
#include "router/control/background.hpp"

namespace router {
namespace {

constexpr std::size_t kDigestDigits = 64;

/// What is none names no ring, and is not looked for.
bool is_digest(const std::string& text) {
  return text.size() == kDigestDigits && std::all_of(text.begin(), text.end(), [](char digit) {
           return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
         });
}

}  // namespace

struct ImageShelf::Shared {
  std::mutex mutex;
  // Guarded by it:
  std::size_t on_their_way = 0;
  std::shared_ptr<const fleet::Image> last;

  bool take_place() {
    const std::scoped_lock lock(mutex);
    if (on_their_way == kAtOnce) return false;
    ++on_their_way;
    return true;
  }
  void leave_place() {
    const std::scoped_lock lock(mutex);
    --on_their_way;
  }
  std::shared_ptr<const fleet::Image> kept(const std::string& digest) {
    const std::scoped_lock lock(mutex);
    return last != nullptr && last->digest == digest ? last : nullptr;
  }
  void keep(const std::shared_ptr<const fleet::Image>& image) {
    const std::scoped_lock lock(mutex);
    last = image->bytes.size() <= kKeptBytesMost ? image : nullptr;
  }
};

namespace {

/// A place among those on their way, from before the image is made until nobody has it.
template <typename Shared>
struct Place {
  explicit Place(std::shared_ptr<Shared> shared_) : shared(std::move(shared_)) {}
  ~Place() { shared->leave_place(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  std::shared_ptr<Shared> shared;
  std::shared_ptr<const fleet::Image> image;
};

template <typename Shared>
ImageShelf::Lent lent(const std::shared_ptr<Place<Shared>>& place) {
  return {ImageShelf::Outcome::lent,
          std::shared_ptr<const std::string>(place, &place->image->bytes),
          {}};
}

}  // namespace

ImageShelf::ImageShelf(RingOf ring_of)
    : ring_of_(std::move(ring_of)), shared_(std::make_shared<Shared>()) {}

/// The thread for looks makes one after the other: who waited for the same image finds it made.
void ImageShelf::lend(const std::string& digest, const Told& told) {
  if (!is_digest(digest)) return told({Outcome::not_here, nullptr, {}});
  if (!shared_->take_place()) return told({Outcome::busy, nullptr, {}});
  const auto place = std::make_shared<Place<Shared>>(shared_);
  place->image = shared_->kept(digest);
  if (place->image != nullptr) return told(lent(place));
  ring_of_(digest, [place, digest,
                    told](const router::Outcome<std::shared_ptr<const ring::Ring>>& outcome) {
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
      const Outcome known = refusal->code == "not_here" ? Outcome::not_here
                            : refusal->code == "busy"   ? Outcome::busy
                                                        : Outcome::failed;
      return told({known, nullptr, refusal->what()});
    }
    place->image = place->shared->kept(digest);
    if (place->image == nullptr) {
      const auto& ring = *std::get<std::shared_ptr<const ring::Ring>>(outcome);
      in_background(
          [&] { place->image = std::make_shared<const fleet::Image>(fleet::image_of(ring)); });
      place->shared->keep(place->image);
    }
    told(lent(place));
  });
}

}  // namespace router
