"""
Is this land? Five encoders, one linear model
=============================================
Test.
"""
import matplotlib.pyplot as plt
plt.plot([1,2])
