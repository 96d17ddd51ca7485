// verify, digest, stats: a whole ring, with every check of docs/ring.md.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "ring_tool/commands.hpp"
#include "ring_tool/source.hpp"

namespace ring_tool {
namespace {

std::string exact_percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f%%", 100 * share);
  return text;
}

struct Share {
  std::size_t vnodes = 0, with_data = 0, read_only = 0;
};

std::vector<Share> shares_of(const ring::Ring& ring) {
  std::vector<Share> shares(ring.pnodes().size());
  for (std::uint32_t v = 0; v < ring.vnode_count(); ++v)
    ++shares[number(ring.owner(static_cast<ring::Vnode>(v)))].vnodes;
  for (const ring::Vnode vnode : ring.data_vnodes()) {
    Share& share = shares[number(ring.owner(vnode))];
    ++share.with_data;
    share.read_only += ring.read_only(vnode) ? 1u : 0u;
  }
  return shares;
}

}  // namespace

void verify(const Options& options, const Streams& streams) {
  const auto ring = load_ring(source_of(options), streams);
  streams.out << "whole: " << ring->vnode_count() << " vnodes, " << ring->pnodes().size()
              << " pnodes, " << ring::to_string(ring->algorithm()) << ", version "
              << ring->version() << "\n"
              << "digest " << ring->digest() << "\n";
}

void digest(const Options& options, const Streams& streams) {
  streams.out << load_ring(source_of(options), streams)->digest() << '\n';
}

void stats(const Options& options, const Streams& streams) {
  const auto ring = load_ring(source_of(options), streams);
  const std::vector<Share> shares = shares_of(*ring);
  const double even = static_cast<double>(ring->vnode_count()) / static_cast<double>(shares.size());
  std::size_t width = 5;
  for (const std::string& pnode : ring->pnodes()) width = std::max(width, pnode.size());
  double squares = 0;
  streams.out << "pnode" << std::string(width - 5, ' ')
              << "   vnodes    share  off even  data  read-only\n";
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const auto vnodes = static_cast<double>(shares[i].vnodes);
    squares += (vnodes - even) * (vnodes - even);
    char line[96];
    std::snprintf(line, sizeof line, " %9zu %8s %+8.2f%% %5zu %10zu", shares[i].vnodes,
                  exact_percent(vnodes / ring->vnode_count()).c_str(), 100 * (vnodes / even - 1),
                  shares[i].with_data, shares[i].read_only);
    const std::string& name = ring->pnodes()[i];
    streams.out << name << std::string(width - name.size(), ' ') << line << '\n';
  }
  streams.out << ring->vnode_count() << " vnodes over " << shares.size()
              << " pnodes; standard deviation "
              << exact_percent(std::sqrt(squares / static_cast<double>(shares.size())) / even)
              << " of an even share; " << ring->data_vnodes().size() << " vnodes with data\n";
}

}  // namespace ring_tool
