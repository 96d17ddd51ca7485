#include "fleet/sources/ring_search.hpp"

#include <optional>
#include <utility>

#include <boost/asio/post.hpp>

#include "fleet/images/edit.hpp"
#include "fleet/sources/http_get.hpp"

namespace fleet {
namespace {

// What each has said becomes a member's answer to the fleet, and a line of logs.
constexpr std::size_t kWhyBytes = 600;

/// It is kept by what it waits for.
class Search : public std::enable_shared_from_this<Search> {
 public:
  Search(boost::asio::io_context& loop, std::vector<ImageSource> sources, std::string digest,
         const Geometry& geometry, MakeRing make, std::function<void(RingFound)> done)
      : loop_(loop), sources_(std::move(sources)), digest_(std::move(digest)), geometry_(geometry),
        make_(std::move(make)), done_(std::move(done)) {}

  void next() {
    while (next_ < sources_.size() && sources_[next_].is_member && Clock::now() >= members_until_) {
      found_.failed = true;
      ++next_;
      ++unsaid_;
    }
    if (next_ == sources_.size()) return end();
    const ImageSource& source = sources_[next_];
    HttpBounds bounds;
    bounds.bytes = image_bytes_most(geometry_);
    http_get(loop_, source.server, source.target, false, bounds,
             [self = shared_from_this()](HttpAnswer answer) { self->answered(std::move(answer)); });
  }

 private:
  using Clock = std::chrono::steady_clock;

  void answered(HttpAnswer answer) {
    using Kind = HttpAnswer::Kind;
    if (answer.kind == Kind::whole)
      return make_({digest_, std::move(answer.body)}, nullptr, geometry_,
                   [self = shared_from_this()](std::shared_ptr<const ring::Ring> ring,
                                               const std::string& why) {
                     self->made(std::move(ring), why);
                   });
    found_.busy = found_.busy || answer.kind == Kind::busy;
    found_.failed = found_.failed || answer.kind == Kind::failed;
    said(answer.why);
  }

  void made(std::shared_ptr<const ring::Ring> ring, const std::string& why) {
    const ImageSource& source = sources_[next_];
    if (ring == nullptr) {
      found_.refused.push_back({source.name, why});
      return said(why);
    }
    found_.ring = std::move(ring);
    found_.from = source.name;
    found_.from_member = source.is_member;
    done_(std::move(found_));
  }

  void said(const std::string& why) {
    const std::string text = sources_[next_].name + ": " + why;
    if (found_.why.size() + text.size() > kWhyBytes)
      ++unsaid_;
    else
      found_.why += (found_.why.empty() ? "" : "; ") + text;
    ++next_;
    next();
  }

  void end() {
    if (sources_.empty()) found_.why = "there is nobody else to ask";
    if (unsaid_ > 0) found_.why += "; and " + std::to_string(unsaid_) + " more";
    done_(std::move(found_));
  }

  boost::asio::io_context& loop_;
  const std::vector<ImageSource> sources_;
  const std::string digest_;
  const Geometry geometry_;
  const MakeRing make_;
  const std::function<void(RingFound)> done_;
  const Clock::time_point members_until_ = Clock::now() + kMembersWithin;
  std::size_t next_ = 0, unsaid_ = 0;
  RingFound found_;
};

}  // namespace

std::shared_ptr<const ring::Ring> ring_of(const Image& image, const ring::Ring* base,
                                          const Geometry& geometry) {
  return base == nullptr ? ring_from(image, geometry) : ring_from(image, *base, geometry);
}

MakeRing make_on(boost::asio::io_context& loop) {
  return [&loop](Image image, std::shared_ptr<const ring::Ring> base, const Geometry& geometry,
                 const RingMade& made) {
    boost::asio::post(loop, [image = std::move(image), base = std::move(base), geometry, made] {
      std::shared_ptr<const ring::Ring> ring;
      try {
        ring = ring_of(image, base.get(), geometry);
      } catch (const std::exception& error) {
        return made(nullptr, error.what());
      }
      made(std::move(ring), "");
    });
  };
}

void search_ring(boost::asio::io_context& loop, std::vector<ImageSource> sources,
                 const std::string& digest, const Geometry& geometry, MakeRing make,
                 std::function<void(RingFound)> found) {
  const auto search = std::make_shared<Search>(loop, std::move(sources), digest, geometry,
                                               std::move(make), std::move(found));
  boost::asio::post(loop, [search] { search->next(); });
}

RingFound search_ring(boost::asio::io_context& loop, std::vector<ImageSource> sources,
                      const std::string& digest, const Geometry& geometry) {
  std::optional<RingFound> found;
  search_ring(loop, std::move(sources), digest, geometry, make_on(loop),
              [&](RingFound told) { found = std::move(told); });
  if (loop.stopped()) loop.restart();
  while (!found) loop.run_one();
  return *std::move(found);
}

}  // namespace fleet
