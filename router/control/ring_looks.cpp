// Looks at rings, for which no change waits.
#include <charconv>

#include "ring/generation_store.hpp"
#include "router/control/background.hpp"
#include "router/control/ring_control.hpp"
#include "router/control/stores.hpp"

namespace router {
namespace {

constexpr std::size_t kLooksMax = 16;

}  // namespace

template <typename Result>
void RingControl::look(Done<Result> done, std::function<Result()> work) {
  if (looking_.fetch_add(1) >= kLooksMax) {
    --looking_;
    return done(Refusal("busy", std::to_string(kLooksMax) + " looks at rings wait already"));
  }
  looks_.post([this, done = std::move(done), work = std::move(work)] {
    std::optional<Outcome<Result>> outcome;
    try {
      outcome.emplace(work());
    } catch (const Refusal& refusal) {
      outcome.emplace(refusal);
    } catch (const std::exception& error) {
      outcome.emplace(Refusal("refused", error.what()));
    }
    --looking_;
    done(*std::move(outcome));
  });
}

void RingControl::rings(Done<std::vector<ring::Generation>> done) {
  look<std::vector<ring::Generation>>(
      std::move(done), [this] { return store_of(*config(), "rings", elsewhere_).list(); });
}

std::shared_ptr<const ring::Ring> RingControl::ring_named(
    const std::string& name, const config::Config& config,
    std::shared_ptr<const ring::Ring> in_force, const ring::Load& elsewhere) {
  if (name.empty()) return in_force;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size())
    return load_ring(name, elsewhere).ring;
  const ring::GenerationStore rings = store_of(config, "diff", elsewhere);
  const auto generation = rings.find(number);
  if (!generation) throw Refusal("unknown_generation", "the store has no generation " + name);
  return rings.load(*generation).ring;
}

void RingControl::ring_of(std::string digest, Done<std::shared_ptr<const ring::Ring>> done) {
  look<std::shared_ptr<const ring::Ring>>(
      std::move(done), [this, digest = std::move(digest), now = config(),
                        in_force = publisher_.current()->snapshot->ring] {
        if (in_force->digest() == digest) return in_force;
        std::shared_ptr<const ring::Ring> found;
        in_background([&] {
          const ring::GenerationStore rings = store_of(*now, "ring", elsewhere_);
          const auto there = rings.newest(digest);
          if (!there) throw Refusal("not_here", "the store has no ring " + digest);
          found = rings.load(*there).ring;
        });
        return found;
      });
}

void RingControl::aside(std::function<void()> work) {
  looks_.post([work = std::move(work)] { in_background(work); });
}

void RingControl::diff(std::string from, std::string to, Done<ring::Difference> done) {
  look<ring::Difference>(std::move(done),
                         [this, from = std::move(from), to = std::move(to), now = config(),
                          ring = publisher_.current()->snapshot->ring] {
                           std::optional<ring::Difference> found;
                           in_background([&] {
                             found = difference(*ring_named(from, *now, ring, elsewhere_),
                                                *ring_named(to, *now, ring, elsewhere_));
                           });
                           return *std::move(found);
                         });
}

}  // namespace router
