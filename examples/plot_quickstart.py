"""Learn from labels of which 40% are wrong, see which ones to trust, and clean a few.
===================================================================================

scikit-learn's digits, made long-tailed (the most frequent digit is ten times as frequent as the
rarest) and given 40% wrong labels. First, three ways to learn from them:

* plain cross-entropy: the same two networks, trusting every label;
* Co-teaching: each network trusts the labels of small loss and hands them to the other one;
* Co-teaching VOG: each network trusts the labels whose gradient has settled.

Small losses look past the rare classes: a rare sample is hard, so its label looks wrong. The
Variance of Gradients (VOG) finds more of their correct labels. Nobody tells the networks how many
labels are wrong; they estimate it.

Then an expert answers for 8 x 2.2% of the samples. The paper's way trusts what the first phase
trusted, and picks among the other labels so as to cover what is missing (coreset). Two controls at
equal epochs tell what the answers are worth: the same tuning without any answer, and answers for
random picks. The cleaner's defaults judge all labels anew after every round and ask about the most
doubtful ones, rare classes first.

Run it with ``python examples/plot_quickstart.py``; it takes about two minutes. ``--quick`` takes
smaller networks, fewer epochs and half the rounds, each of twice as many answers: a sixth of the
time, and scores that are a little lower. The code is in ``noisyactive/quickstart.py``, so that
``python -m noisyactive.quickstart`` does the same from any folder.
"""

from noisyactive.quickstart import main

if __name__ == "__main__":
    main()
